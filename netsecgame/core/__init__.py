"""The rules of the game: pure and synchronous, free of I/O, clocks and global randomness."""

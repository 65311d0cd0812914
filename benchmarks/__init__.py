"""Speed against a limit or a peer, as ratios in one run; `make bench` prints all."""

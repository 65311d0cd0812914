"""`netsecgame remote`: environments on other machines."""

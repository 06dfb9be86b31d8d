"""``python -m aimwell``."""

from aimwell.cli import main

if __name__ == "__main__":
    main()

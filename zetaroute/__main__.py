"""`python -m zetaroute` and the console script."""

from zetaroute.cli.app import main

if __name__ == "__main__":
    main()

"""`python -m labelprop` is the command `labelprop`."""

from labelprop.cli.main import main

if __name__ == "__main__":
    main()

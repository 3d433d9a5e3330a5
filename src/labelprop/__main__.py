"""`python -m labelprop` is the command `labelprop`."""

from labelprop.cli import main

if __name__ == "__main__":
    main()

"""``python -m gateway`` is ``maskline``."""

from gateway.cli import main

if __name__ == "__main__":
    main()

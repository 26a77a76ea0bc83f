"""Starts the conformance adapter of the Python client: makes what it needs first, then speaks adapter.proto on standard
input and output.
"""

import prepare

if __name__ == "__main__":
    prepare.use()
    from adapter.main import main

    main()

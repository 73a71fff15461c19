"""Owns the process of the test gateway: `python -m support.gateway KUBECONFIG FOLDER ADDRESS`. Must not know tests."""

import sys
from pathlib import Path

from support.gateway.controller import serve

if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])

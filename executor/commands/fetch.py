"""Owns `millrace fetch`: the files of a model, brought into a folder.

Must not fetch them itself.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from executor import options

PURPOSE = "fetch the files of a model into a folder"
EPILOG = """\
The folder is made, or is empty, or was fetched before; then nothing is done if it is still complete and the same.
Files are there all or not at all, with their checksums in .millrace.json beside them. s3://, gs:// and http:// need
fsspec and a package of their own: pip install fsspec, and s3fs, gcsfs or aiohttp.

examples:
  millrace fetch s3://models/iris /mnt/models
  millrace fetch https://models.example.com/iris/ models/iris
  millrace fetch gs://seldon-models/sklearn/iris iris

environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and the like; RCLONE_CONFIG_<REMOTE>_<KEY> as
Seldon's storage initializer reads it.
"""


def main(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Fetches, and prints the path; the exit status."""
    from executor import app
    from executor.storage import fetch

    app.log_to_stderr(parsed.log_level)
    print(fetch.fetch(parsed.uri, Path(parsed.folder), parsed.timeout, environment))
    return 0


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("uri", metavar="URI", help="a path, or file://, s3://, gs://, http:// or https://")
    parser.add_argument("folder", metavar="DIR", help="where the files go")
    parser.add_argument("--timeout", type=options.seconds, default=60.0, metavar="TIME",
                        help="how long the store may send nothing (default 60s)")  # fmt: skip
    parser.add_argument("--log-level", choices=options.LOG_LEVELS, default="info", help="(default info)")

"""What the environment says of how stores are signed in to."""

import pytest

from executor.errors import RequestError
from executor.storage import credentials


def test_nothing_said_leaves_it_to_the_libraries() -> None:
    kind, made = credentials.store_of("s3", {})
    assert kind == "s3"
    assert made.keys() == {"config_kwargs"}
    assert credentials.store_of("gs", {}) == ("gs", {})
    assert credentials.store_of("https", {}) == ("https", {})


def test_amazon_s_own_names() -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_SESSION_TOKEN": "t",
        "S3_ENDPOINT": "minio:9000",
        "S3_USE_HTTPS": "0",
    }
    made = credentials.store_of("s3", environment)[1]
    assert (made["key"], made["secret"], made["token"], made["endpoint_url"]) == ("k", "s", "t", "http://minio:9000")
    assert credentials.store_of("s3", {"AWS_ENDPOINT_URL": "https://h"})[1]["endpoint_url"] == "https://h"
    assert credentials.store_of("s3", {"S3_ENDPOINT": "h"})[1]["endpoint_url"] == "https://h"


def test_remotes_of_the_storage_initializer() -> None:
    environment = {
        "RCLONE_CONFIG_MINIO_TYPE": "s3",
        "RCLONE_CONFIG_MINIO_ACCESS_KEY_ID": "k",
        "RCLONE_CONFIG_MINIO_SECRET_ACCESS_KEY": "s",
        "RCLONE_CONFIG_MINIO_ENDPOINT": "http://minio:9000",
        "RCLONE_CONFIG_MINIO_REGION": "eu",
    }
    assert credentials.remotes(environment) == {"minio"}
    kind, made = credentials.store_of("minio", environment)
    assert (kind, made["key"], made["secret"], made["endpoint_url"]) == ("s3", "k", "s", "http://minio:9000")
    assert made["client_kwargs"] == {"region_name": "eu"}


def test_a_remote_without_keys_is_anonymous_unless_it_looks_them_up() -> None:
    environment = {"RCLONE_CONFIG_S3_TYPE": "s3"}
    assert credentials.store_of("s3", environment)[1]["anon"] is True
    environment["RCLONE_CONFIG_S3_ENV_AUTH"] = "true"
    assert "anon" not in credentials.store_of("s3", environment)[1]


def test_google_s() -> None:
    kind = {"RCLONE_CONFIG_GS_TYPE": "google cloud storage"}
    assert credentials.store_of("gs", {**kind, "RCLONE_CONFIG_GS_ANONYMOUS": "true"})[1] == {"token": "anon"}
    assert credentials.store_of("gs", {**kind, "RCLONE_CONFIG_GS_SERVICE_ACCOUNT_FILE": "/f"})[1] == {"token": "/f"}
    account = {**kind, "RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS": '{"a": 1}'}
    assert credentials.store_of("gs", account)[1] == {"token": {"a": 1}}
    account["RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS"] = "{secret"
    with pytest.raises(RequestError, match="is not JSON") as refused:
        credentials.store_of("gs", account)
    assert "secret" not in str(refused.value)


def test_a_remote_of_another_kind_is_refused() -> None:
    with pytest.raises(RequestError, match="RCLONE_CONFIG_X_TYPE 'swift' is not supported; allowed are s3, google"):
        credentials.store_of("x", {"RCLONE_CONFIG_X_TYPE": "swift"})

"""Tests `config`: what environment and config map change, and what is wrong with them."""

import pytest

from executor.errors import ManifestError
from operator_lite import config


def test_by_default_everything_is_ours() -> None:
    found = config.read({})
    assert found == config.Config()
    assert found.engine() == config.Image(config.IMAGE, ("executor",))
    assert found.fetcher() == config.Image(config.IMAGE, ("fetch",))
    assert found.server("XGBOOST_SERVER", "seldon") == config.Image(
        config.IMAGE, ("node", "XGBOOST_SERVER", "--host=0.0.0.0")
    )
    assert (found.protocols(), found.server_types()) == (("seldon",), ("rpc",))


def test_a_config_map_wins_over_the_environment() -> None:
    environment = {"EXECUTOR_SERVER_PORT": "1", "DEFAULT_USER_ID": "", "ISTIO_ENABLED": "true", "KEDA_ENABLED": "TRUE"}
    found = config.read(environment, {"EXECUTOR_SERVER_PORT": "2", "DEFAULT_USER_ID": "", "TRAFFIC": "none"})
    assert (found.engine_http_port, found.user, found.traffic, found.keda) == (2, None, "none", True)


def test_resources_of_the_executor_one_by_one() -> None:
    found = config.read({"EXECUTOR_DEFAULT_CPU_LIMIT": "2", "EXECUTOR_DEFAULT_MEMORY_REQUEST": "1Gi"})
    assert (found.engine_cpu, found.engine_memory) == (("500m", "2"), ("1Gi", "512Mi"))


def test_another_executor_may_speak_anything_unless_somebody_says() -> None:
    found = config.read({"EXECUTOR_CONTAINER_IMAGE_AND_VERSION": "a:1", "RELATED_IMAGE_EXECUTOR": "b:1"})
    assert (found.engine(), found.protocols(), found.server_types()) == (config.Image("b:1"), None, None)
    assert config.read({"EXECUTOR_PROTOCOLS": "seldon, v2"}).protocols() == ("seldon", "v2")


def test_servers_of_a_seldon_config() -> None:
    servers = """{"SKLEARN_SERVER": {"protocols": {"v2": {"image": "m", "defaultImageVersion": "1"}}},
                  "MINE": {"protocols": {"seldon": {"image": "mine:2"}}}}"""
    found = config.read({}, {"predictor_servers": servers})
    assert found.server("SKLEARN_SERVER", "v2") == config.Image("m:1")
    assert found.server("SKLEARN_SERVER", "kfserving") == config.Image("m:1")
    assert found.server("SKLEARN_SERVER", "seldon") == config.Config().server("SKLEARN_SERVER", "seldon")
    assert found.server("MINE", "seldon") == config.Image("mine:2")
    assert found.server("MINE", "tensorflow") is None
    assert "MINE" in found.known_servers()


def test_the_initializer_and_the_explainer_of_a_seldon_config() -> None:
    data = {
        "storageInitializer": '{"image": "rclone:1", "cpuLimit": "3"}',
        "explainer": '{"image": "e:1", "image_v2": "e:2"}',
    }
    found = config.read({}, data)
    assert found.fetcher() == config.Image("rclone:1")
    assert found.initializer_resources["limits"] == {"cpu": "3", "memory": "1Gi"}
    assert (found.explainer_image, found.explainer_v2_image) == ("e:1", "e:2")


def test_related_images_go_before_all_others() -> None:
    names = ("EXECUTOR", "STORAGE_INITIALIZER", "EXPLAINER", "SKLEARNSERVER", "TENSORFLOW", "TFPROXY")
    environment = {f"RELATED_IMAGE_{name}": f"{name.lower()}:1" for name in names}
    server = '{"protocols": {"seldon": {"image": "s"}, "v2": {"image": "v"}}}'
    config_map = {
        "EXECUTOR_CONTAINER_IMAGE_AND_VERSION": "e:1",
        "storageInitializer": '{"image": "rclone:1"}',
        "explainer": '{"image": "e:1", "image_v2": "e:2"}',
        "predictor_servers": f'{{"SKLEARN_SERVER": {server}, "XGBOOST_SERVER": {server}}}',
    }
    found = config.read(environment, config_map)
    assert (found.engine().name, found.fetcher().name) == ("executor:1", "storage_initializer:1")
    assert (found.explainer_image, found.explainer_v2_image) == ("explainer:1", "e:2")
    protocols = ("seldon", "v2", "tensorflow")
    images = {
        name: [image and image.name for image in (found.server(f"{name}_SERVER", each) for each in protocols)]
        for name in ("SKLEARN", "XGBOOST", "TENSORFLOW")
    }
    assert images == {
        "SKLEARN": ["sklearnserver:1", "v", None],
        "XGBOOST": ["s", "v", None],
        "TENSORFLOW": ["tfproxy:1", None, "tensorflow:1"],
    }


def test_a_related_image_that_is_empty_is_none() -> None:
    empty = {"RELATED_IMAGE_STORAGE_INITIALIZER": "", "RELATED_IMAGE_SKLEARNSERVER": ""}
    assert config.read(empty, empty) == config.Config()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("EXECUTOR_SERVER_PORT", "70000", "must be a port from 1 to 65535"),
        ("KEDA_ENABLED", "yes", "must be true or false"),
        ("DEFAULT_USER_ID", "root", "must be a user's number, or empty for none"),
        ("TRAFFIC", "nginx", "must be one of gateway, istio, none"),
        ("GATEWAY", "front", "must be namespace/name"),
        ("ROUTER_STATE", "/tmp/x", "must be volume, redis://HOST:PORT[/DB] or rediss://HOST:PORT[/DB]"),
        ("EXECUTOR_REQUEST_LOGGER_WORK_QUEUE_SIZE", "many", "invalid literal"),
        ("predictor_servers", '{"A": {}}', "is not in the form of seldon-config: KeyError('protocols')"),
        ("explainer", "{", "is not in the form of seldon-config"),
    ],
)
def test_all_that_is_wrong_is_told_at_once(name: str, text: str, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        config.read({}, {name: text, "ISTIO_ENABLED": "maybe"})
    told = {each.path: each.message for each in caught.value.problems}
    assert told.keys() == {name, "ISTIO_ENABLED"}
    assert told[name].startswith(message)

"""The settings of what people watch a process with."""

from dataclasses import replace

from executor.settings import NodeSettings, RunSettings
from executor.watching import Watch

WATCH = Watch("json", True, False, "0.0.0.0", 0)


def test_they_reach_other_processes() -> None:
    for made in (RunSettings("graph"), NodeSettings("m.py:M")):
        asked = replace(made, watch=WATCH)
        assert type(asked).from_json(asked.to_json()).watch == WATCH
        assert type(made).from_json(made.to_json()).watch == Watch()


def test_the_admin_port_is_for_this_machine_and_there_is_none_by_itself() -> None:
    assert (Watch().admin_host, Watch().admin_port) == ("127.0.0.1", None)

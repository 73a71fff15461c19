"""Headers of traces: each form read and written, and what is none, which is never an error."""

import pytest

from executor._native import propagation

W3C, B3, B3_MULTI, JAEGER = propagation.W3C, propagation.B3, propagation.B3_MULTI, propagation.JAEGER
read, written = propagation.read, propagation.written
TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
LONG, SHORT = f"{TRACE:032x}", f"{SPAN:016x}"
W3C_TEXT = f"00-{LONG}-{SHORT}-01"
NOTHING = (None, None, None)


@pytest.mark.parametrize(
    ("form", "headers", "found"),
    [
        (W3C, [("traceparent", W3C_TEXT)], (TRACE, SPAN, True)),
        (W3C, [("traceparent", f"00-{LONG}-{SHORT}-00")], (TRACE, SPAN, False)),
        (W3C, [("traceparent", f"00-{LONG}-{SHORT}-ff")], (TRACE, SPAN, True)),
        (W3C, [("traceparent", f"cc-{LONG}-{SHORT}-01-more")], (TRACE, SPAN, True)),
        (B3, [("b3", f"{LONG}-{SHORT}")], (TRACE, SPAN, None)),
        (B3, [("b3", f"{LONG}-{SHORT}-1")], (TRACE, SPAN, True)),
        (B3, [("b3", f"{LONG}-{SHORT}-d-{SHORT}")], (TRACE, SPAN, True)),
        (B3, [("b3", f"{LONG[16:]}-{SHORT}-0")], (TRACE & (1 << 64) - 1, SPAN, False)),
        (B3, [("b3", "0")], (None, None, False)),
        (B3, [("b3", "d")], (None, None, True)),
        (B3_MULTI, [("x-b3-traceid", LONG.upper()), ("x-b3-spanid", SHORT)], (TRACE, SPAN, None)),
        (B3_MULTI, [("x-b3-traceid", LONG), ("x-b3-spanid", SHORT), ("x-b3-sampled", "0")], (TRACE, SPAN, False)),
        (B3_MULTI, [("x-b3-traceid", LONG), ("x-b3-spanid", SHORT), ("x-b3-sampled", "true")], (TRACE, SPAN, True)),
        (B3_MULTI, [("x-b3-traceid", LONG), ("x-b3-spanid", SHORT), ("x-b3-flags", "1")], (TRACE, SPAN, True)),
        (B3_MULTI, [("x-b3-sampled", "false")], (None, None, False)),
        (JAEGER, [("uber-trace-id", f"{LONG}:{SHORT}:0:1")], (TRACE, SPAN, True)),
        (JAEGER, [("uber-trace-id", "abc:1:0:0")], (0xABC, 1, False)),
        (JAEGER, [("uber-trace-id", "abc%3A1%3a0%3A3")], (0xABC, 1, True)),
    ],
)
def test_each_form_is_read(form: int, headers: list[tuple[str, str]], found: tuple[object, ...]) -> None:
    assert read(headers, [form]) == found


@pytest.mark.parametrize(
    ("form", "name", "text"),
    [
        *(
            (W3C, "traceparent", text)
            for text in (
                "", "00", "x" * 55, f"ff-{LONG}-{SHORT}-01", f"00-{LONG}-{SHORT}-01-more", f"00-{'0' * 32}-{SHORT}-01",
                f"00-{LONG}-{'0' * 16}-01", f"00-{LONG.upper()}-{SHORT}-01", f"00-{LONG}-{SHORT}-0x", W3C_TEXT[:-1],
                f"00_{LONG}-{SHORT}-01", f"cc-{LONG}-{SHORT}-01.more", f"00-{LONG[:-1]}g-{SHORT}-01",
            )
        ),
        *(
            (B3, "b3", text)
            for text in ("", "2", "-", LONG, f"{LONG}-", f"{LONG}-{SHORT}-x", f"{LONG}-{SHORT}1", f"{LONG}-{SHORT}-",
                         f"{LONG[:20]}-{SHORT}-1", f"{LONG}-{SHORT}-1x", "0" * 32 + f"-{SHORT}-1")
        ),
        *(
            (JAEGER, "uber-trace-id", text)
            for text in ("", ":", ":::", "abc:1:0", "abc:1:0:", "abc:1:0:1:1", "0:1:0:1", "abc:0:0:1", "g:1:0:1",
                         f"1{LONG}:1:0:1", f"abc:1{SHORT}:0:1", "abc:1:0:123", "abc:1:0:z", "abc%3", "%3A%3A%3A")
        ),
        (B3_MULTI, "x-b3-traceid", LONG),
        (B3_MULTI, "x-b3-spanid", SHORT),
        (B3_MULTI, "x-b3-sampled", "perhaps"),
    ],
)  # fmt: skip
def test_what_is_none_is_nothing(form: int, name: str, text: str) -> None:
    assert read([(name, text)], [form]) == NOTHING


def test_the_first_form_that_says_anything_counts() -> None:
    headers = [("traceparent", W3C_TEXT), ("b3", f"{LONG}-{1:016x}-0"), ("x", "y")]
    assert read(headers, [W3C, B3]) == (TRACE, SPAN, True)
    assert read(headers, [B3, W3C]) == (TRACE, 1, False)
    assert read([("traceparent", "bad"), headers[1]], [W3C, B3]) == (TRACE, 1, False)
    assert read(headers, [JAEGER]) == read([], [W3C, B3, B3_MULTI, JAEGER]) == read(headers, []) == NOTHING


@pytest.mark.parametrize("form", [W3C, B3, B3_MULTI, JAEGER])
@pytest.mark.parametrize("sampled", [True, False])
def test_what_is_written_can_be_read(form: int, sampled: bool) -> None:
    made = written([("a", "1")], [form], TRACE, SPAN, sampled)
    assert read(made, [form]) == (TRACE, SPAN, sampled)
    assert made[-1] == ("a", "1")


def test_headers_of_the_forms_are_replaced_and_others_kept() -> None:
    before = [
        ("traceparent", W3C_TEXT), ("tracestate", "x=1"), ("b3", "0"), ("x-b3-traceid", LONG), ("x-b3-spanid", SHORT),
        ("x-b3-parentspanid", SHORT), ("x-b3-flags", "1"), ("uber-trace-id", "1:1:0:1"), ("baggage", "k=v"),
    ]  # fmt: skip
    made = dict(written(before, [W3C, B3_MULTI], TRACE, 7, False))
    assert made["traceparent"] == f"00-{LONG}-{7:016x}-00"
    assert (made["x-b3-spanid"], made["x-b3-sampled"]) == (f"{7:016x}", "0")
    assert not {"x-b3-parentspanid", "x-b3-flags"} & set(made)
    # A tracestate belongs to the traceparent that it came with.
    assert (made["tracestate"], made["b3"], made["uber-trace-id"], made["baggage"]) == ("x=1", "0", "1:1:0:1", "k=v")
    broken = [("traceparent", "bad"), ("tracestate", "x=1")]
    assert [name for name, _ in written(broken, [W3C], TRACE, 7, True)] == ["traceparent"]


def test_all_forms_at_once() -> None:
    forms = [W3C, B3, B3_MULTI, JAEGER]
    made = written([], forms, TRACE, SPAN, True)
    assert len(made) == 6
    assert {read(made, [form]) for form in forms} == {(TRACE, SPAN, True)}


def test_forms_are_checked() -> None:
    with pytest.raises(ValueError, match="there are 4"):
        read([], [W3C] * 5)
    with pytest.raises(ValueError, match="form 3"):
        read([], [3])

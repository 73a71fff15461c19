"""The marker marks what is written under it, and nothing that inherits from it."""

from executor.component import mark


class Plain:
    @mark.quick
    def marked(self) -> None: ...

    def bare(self) -> None: ...


@mark.quick
class Whole:
    def bare(self) -> None: ...


class Heir(Whole):
    def other(self) -> None: ...


def test_a_marked_method_is_quick_and_its_neighbour_is_not() -> None:
    assert mark.is_marked(Plain, Plain.marked)
    assert mark.is_marked(Plain, Plain().marked)
    assert not mark.is_marked(Plain, Plain.bare)


def test_a_marked_class_marks_what_it_writes_itself() -> None:
    assert mark.is_marked(Whole, Whole.bare)
    assert not mark.is_marked(Heir, Heir.other)


def test_the_marker_gives_back_what_it_marks() -> None:
    assert mark.quick(Plain) is Plain

from itertools import combinations

from labelprop.report.draw.names import LINE, breadth, unstacked


def test_names_that_meet_are_set_apart() -> None:
    ys = [100.0, 101.0, 99.0, 30.0, 100.0]
    spans = [(0, 50), (10, 60), (20, 70), (0, 50), (200, 250)]
    found = unstacked(ys, spans)
    for i, j in combinations(range(4), 2):
        assert abs(found[i] - found[j]) >= LINE - 1e-9
    assert found[3:] == [30.0, 100.0], "what meets nothing stays"


def test_wide_letters_count_for_more() -> None:
    assert breadth("iii") < breadth("aaa") < breadth("www") < breadth("日本語")
    assert breadth("") == 0

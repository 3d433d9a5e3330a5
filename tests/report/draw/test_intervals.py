from labelprop.report.draw.intervals import dot, scale_start
from labelprop.report.gather.numbers import Share


def test_a_scale_of_shares_starts_under_the_lowest_interval():
    shares = [Share(164, 176), Share(171, 171)]
    assert scale_start(shares) == 85
    assert scale_start([]) == 0
    assert scale_start([Share(0, 5)]) == 0


def test_a_dot_with_its_interval_lies_on_the_scale():
    found = dot(Share(164, 176), 85)
    assert 0 <= found.left < found.at < found.left + found.width <= 100
    assert found.text == "93.2%, interval 88.5% to 96.1%"
    assert dot(Share(0, 5), 50).at == 0

"""The page in Chromium: what it asks for and says, how wide it is, and that its parts agree."""

import csv
import io
import re

import pytest

from labelprop.report.render import write_report
from report.pages import opened
from report.states import HOSTILE, STATES
from report.synthetic import Spec, write_run

OVERFLOW = "document.documentElement.scrollWidth - innerWidth"
PAINTED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
KEPT = r"([\d,]+) of ([\d,]+) images kept"


def quiet(found, path):
    """No message, and no request but the page itself and its own pictures."""
    assert found.messages == []
    assert [url for url in found.requests if not url.startswith("data:")] == [path.as_uri()[:80]]


def numbers(pattern, text):
    return [int(group.replace(",", "")) for group in re.search(pattern, text).groups()]


@pytest.mark.parametrize("state", STATES)
def test_every_state_fits_and_is_quiet(browser, pages, state):
    """The quick set: each state once, wide and narrow, everything opened."""
    with opened(browser, pages(state)) as found:
        found.run("document.querySelectorAll('details').forEach(part => { part.open = true })")
        for width in (1280, 390):
            found.page.set_viewport_size({"width": width, "height": 900})
            found.run(PAINTED)
            assert found.run(OVERFLOW) <= 0, width
        quiet(found, pages(state))


SLIDE = """kept => {
    const slider = document.querySelector("#slider"), began = performance.now();
    slider.value = kept;
    slider.dispatchEvent(new Event("input"));
    return performance.now() - began;
}"""


def test_the_script_writes_the_sentence_that_was_there(browser, pages):
    for state in ("truth", "some_truth", "no_truth", "no_error", "nothing_to_check_truth"):
        written = re.search(r"<output[^>]*>(.*?)</output>", pages(state).read_text())[1]
        with opened(browser, pages(state)) as found:
            assert found.run("document.querySelector('#reading').innerHTML") == written, state
            quiet(found, pages(state))


def test_slider_bands_and_summary_agree(browser, pages):
    with opened(browser, pages("truth")) as found:
        bands = found.run(
            "[...document.querySelectorAll('.bands tbody tr')].map(r => [...r.children].map(c => c.innerText))"
        )
        rows, wrong = sum(int(band[1]) for band in bands), sum(int(band[2]) for band in bands)
        kept, n = numbers(KEPT, found.text("#reading"))
        assert rows == n == 500
        assert f"{wrong} of {n} wrong" in found.text(".sum")
        assert f"keep the {kept} with a certainty of" in found.text(".sum")
        found.page.evaluate(SLIDE, n)
        assert numbers(KEPT, found.text("#reading"))[0] == n
        assert f"Wrong ones kept: {wrong}." in found.text("#reading")
        top = found.run("document.querySelector('.bands th[scope=row]').innerText")
        found.page.fill("#least", top.split()[0])
        found.page.press("#least", "Enter")
        assert numbers(KEPT, found.text("#reading"))[0] == int(bands[0][1])
        assert found.run("document.querySelector('#slider').getAttribute('aria-valuetext')") == found.text("#reading")


def test_a_target_keeps_as_many_as_reach_it(browser, pages):
    with opened(browser, pages("truth")) as found:
        buttons = found.run("[...document.querySelectorAll('#targets button')].map(b => [+b.value, b.ariaPressed])")
        assert [pressed for _, pressed in buttons] == ["false", "true", "false"], "95% to begin with"
        assert buttons[0][0] > buttons[1][0] > buttons[2][0] > 0
        found.page.click("#targets button >> nth=2")
        assert numbers(KEPT, found.text("#reading"))[0] == buttons[2][0]
        share = float(re.search(r"([\d.]+)% of them right", found.text("#reading"))[1])
        assert share >= 99
        assert found.run("document.querySelector('#targets [aria-pressed=true]').value") == str(buttons[2][0])
    with opened(browser, pages("weak")) as found:
        assert found.run("document.querySelectorAll('#targets button:disabled').length") == 3


def test_the_slider_moves_by_keys_in_whole_levels(browser, pages):
    with opened(browser, pages("truth")) as found:
        start = numbers(KEPT, found.text("#reading"))[0]
        found.page.focus("#slider")
        found.page.keyboard.press("ArrowLeft")
        less = numbers(KEPT, found.text("#reading"))[0]
        found.page.keyboard.press("ArrowRight")
        assert less < start == numbers(KEPT, found.text("#reading"))[0]
        found.page.keyboard.press("Home")
        assert 0 < numbers(KEPT, found.text("#reading"))[0] < less


def test_hostile_names_run_nothing(browser, pages):
    path = pages("hostile")
    with opened(browser, path) as found:
        found.page.click("#by button[value=right]")
        found.page.click("#legend button >> nth=0")
        found.page.focus("#dots")
        found.page.keyboard.press("ArrowRight")
        found.page.keyboard.press("Enter")
        assert found.run("window.ran") is None
        assert found.run("document.querySelectorAll('img, b > b').length") == 0
        assert HOSTILE[0] in found.text("#legend")
        assert "\\u202egnp.exe" in found.text("#legend")
        quiet(found, path)


def test_own_labels_become_a_label_file(browser, pages):
    with opened(browser, pages("hostile")) as found:
        found.page.fill("#by-text", "quoted")
        found.page.select_option("#rows select >> nth=0", "2")
        found.page.fill("#by-text", "unlabeled")
        chosen = found.run("document.querySelector('#rows .n').innerText")
        found.page.select_option("#rows select >> nth=0", "4")
        assert found.text("#save") == "Save 2 labels as CSV"
        with found.page.expect_download() as download:
            found.page.click("#save")
        rows = list(csv.reader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
        assert rows[0] == ["id", "label"]
        assert rows[1:] == [[f"{HOSTILE[2]}2", HOSTILE[2]], [chosen, HOSTILE[4]]]


def test_saved_files_have_names_of_their_own_and_the_next_command_names_them(browser, pages):
    with opened(browser, pages("truth")) as found:
        assert "CORRECTIONS.csv" in found.text("#again")
        saved = []
        for choice in ("1", "2"):
            found.page.select_option("#rows select >> nth=0", choice)
            with found.page.expect_download() as download:
                found.page.click("#save")
            saved.append(download.value.suggested_filename)
            assert f"--labels {saved[-1]} --out" in found.text("#again")
            found.page.wait_for_timeout(1100)
        assert all(re.fullmatch(r"digits-corrections-\d{8}-\d{6}\.csv", name) for name in saved)
        assert saved[0] != saved[1]


def test_a_larger_view_labels_by_keys(browser, pages):
    picture = "document.querySelector('#rows .th').getBoundingClientRect().width"
    with opened(browser, pages("truth")) as found:
        assert found.run(picture) >= 96
        found.page.focus("#rows button >> nth=0")
        found.page.keyboard.press("Enter")
        assert found.run("document.querySelector('#viewer .th').getBoundingClientRect().width") >= 288
        first = found.text("#viewer")
        found.page.keyboard.press("7")
        second = found.text("#viewer")
        assert first != second, "goes on to the next"
        found.page.keyboard.press("ArrowLeft")
        assert found.run("document.querySelector('#viewer [aria-pressed=true]').innerText") == "7"
        found.page.keyboard.press("ArrowRight")
        found.page.keyboard.press("3")
        assert found.text("#save") == "Save 2 labels as CSV"
        found.page.keyboard.press("ArrowLeft")
        found.page.keyboard.press("Backspace")
        found.page.keyboard.press("Escape")
        assert found.text("#save") == "Save 1 label as CSV"
        assert not found.run("document.querySelector('#viewer').open")
        assert found.run("document.querySelector('#rows select').value") == "7"
        assert found.run("document.activeElement.closest('#rows') !== null"), "back in the table"
        quiet(found, pages("truth"))


def test_pictures_of_photos_are_larger_there_than_in_the_table(browser, tmp_path):
    run = write_run(tmp_path, Spec(n=60, kind="color", picture=192))
    with opened(browser, write_report(run)) as found:
        found.page.click("#rows button >> nth=0")
        found.page.wait_for_function("document.querySelector('#viewer img').naturalWidth > 0")
        assert (
            max(found.run("(p => [p.naturalWidth, p.naturalHeight])(document.querySelector('#viewer img'))")) == 192
        )


def test_given_labels_are_corrected_too(browser, pages):
    with opened(browser, pages("truth")) as found:
        own = found.text("#h-check")
        found.page.select_option("#by-label", "given")
        assert found.text("#h-check").startswith("Labels you gave: ")
        assert found.run("document.querySelector('#checks caption').textContent") == "Labels you gave"
        found.page.select_option("#by-label", "")
        assert found.text("#h-check") == own
        found.page.select_option("#by-label", "given")
        assert found.text("#count") == "25 of 100 shown"
        given = found.run("document.querySelector('#rows .n').innerText")
        found.page.select_option("#rows select >> nth=0", "4")
        with found.page.expect_download() as download:
            found.page.click("#save")
        assert download.value.path().read_text() == f"id,label\n{given},4\n"
        assert found.text("#again").endswith(" --prefer labels")
        assert found.page.is_visible("#given-note")
        found.page.select_option("#rows select >> nth=0", "")
        assert "--prefer" not in found.text("#again")


def test_the_table_of_confusions_scrolls_inside_itself_with_a_cue(browser, tmp_path):
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    path = write_report(write_run(tmp_path, Spec(n=300, classes=names)))
    shown = "!document.querySelector('.cue').hidden"
    fades = "document.querySelector('.cue + .wide').matches('.after')"
    with opened(browser, path, 390) as found:
        assert found.run(OVERFLOW) <= 0
        assert found.run(shown)
        assert found.run(fades)
        found.run("document.querySelector('.cue + .wide').scrollLeft = 1e4")
        found.page.wait_for_function(f"!({fades})")
        found.page.set_viewport_size({"width": 1280, "height": 900})
        found.page.wait_for_function(f"!({shown})")


def test_leaving_with_unsaved_labels_asks(browser, pages):
    leave = "!window.dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    with opened(browser, pages("truth")) as found:
        assert not found.run(leave)
        found.page.select_option("#rows select >> nth=0", "1")
        assert found.run(leave)
        with found.page.expect_download():
            found.page.click("#save")
        assert not found.run(leave)


def test_sorting_filtering_and_more_rows(browser, pages):
    with opened(browser, pages("truth")) as found:
        certainties = "[...document.querySelectorAll('#rows .p')].map(cell => +cell.innerText)"
        assert found.run(certainties) == sorted(found.run(certainties))
        found.page.click("#checks th button[value=certainty]")
        assert found.run(certainties) == sorted(found.run(certainties), reverse=True)
        assert found.run("document.querySelector('th[aria-sort=descending]').innerText") == "Certainty"
        found.page.click("#more")
        assert found.text("#count") == "50 of 500 shown"
        found.page.select_option("#by-label", "3")
        assert set(found.run("[...document.querySelectorAll('#rows .l')].map(cell => cell.innerText)")) == {"3"}


def test_the_map_is_worked_by_keys(browser, pages):
    with opened(browser, pages("truth")) as found:
        found.page.focus("#dots")
        found.page.keyboard.press("ArrowRight")
        first = found.text("#tip")
        found.page.keyboard.press("ArrowRight")
        second = found.text("#tip")
        assert first != second
        assert found.run("document.querySelector('#live').textContent").split(". ")[-1] in second
        found.page.keyboard.press("Enter")
        assert second.split("\n")[-1] in found.text("#why")
        found.page.keyboard.press("Escape")
        assert found.run("document.querySelector('#tip').hidden")


def test_unreached_rows_have_a_filter(browser, pages):
    with opened(browser, pages("unreached")) as found:
        assert found.text("#count") == "25 of 268 shown"
        found.page.select_option("#by-label", "-1")
        assert found.text("#count") == "20 of 20 shown"
        assert found.run("document.querySelector('#rows .l').innerText") == "none"


def test_many_classes_light_up_at_most_six(browser, pages):
    with opened(browser, pages("classes_15")) as found:
        assert found.run("document.querySelector('#by button[aria-pressed=true]').value") == "kept"
        for k in range(8):
            found.page.click(f"#legend button >> nth={k}")
        assert found.run("document.querySelectorAll('#legend button[aria-pressed=true]').length") == 6
        assert found.run("document.querySelector('#by button[aria-pressed=true]').value") == "label"
        found.page.click("#all")
        assert found.run("document.querySelector('#by button[aria-pressed=true]').value") == "kept"


def test_a_hundred_classes_are_searched(browser, pages):
    with opened(browser, pages("classes_120")) as found:
        visible = "document.querySelectorAll('#class-rows tr:not([hidden])').length"
        assert found.run(visible) == 20
        found.page.fill("#class-text", "category 11")
        assert found.run(visible) == 10
        assert found.run("document.querySelectorAll('.cm').length") == 0
        assert found.run("document.querySelectorAll('.pairs > li').length") == 30


def test_without_javascript_the_first_rows_and_the_bands_are_there(browser, pages):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages("truth").as_uri())
    assert page.locator("#rows tr").count() == 25
    assert page.locator(".bands tbody tr").count() == 10
    assert "need JavaScript" in page.inner_text("#trust")
    context.close()


def test_nothing_scrolls_sideways(browser, pages):
    with opened(browser, pages("hostile")) as found:
        for width in (320, 390, 820, 1280):
            found.page.set_viewport_size({"width": width, "height": 900})
            assert found.run(OVERFLOW) <= 0, width
        quiet(found, pages("hostile"))


CUT = """() => [...document.querySelectorAll("#embedding svg text, #against svg text")].filter(text => {
    const box = text.getBoundingClientRect(), svg = text.closest("svg").getBoundingClientRect();
    const inside = text.closest(".plane") ? [svg.left, svg.right] : [0, innerWidth];
    return box.left < inside[0] - 1 || box.right > inside[1] + 1;
}).map(text => text.textContent)"""


@pytest.mark.slow
@pytest.mark.parametrize("state", ["analyses", "analyses_15", "hostile"])
def test_no_text_of_the_analyses_is_cut_at_any_width(browser, tmp_path, state):
    run, other = write_run(tmp_path / "run", STATES[state]), write_run(tmp_path / "other", STATES[state])
    path = write_report(run, against=other)
    with opened(browser, path) as found:
        for width in (320, 390, 820, 1280):
            found.page.set_viewport_size({"width": width, "height": 900})
            found.run("document.querySelectorAll('details').forEach(part => { part.open = true })")
            assert found.run(OVERFLOW) <= 0, width
            assert found.run(CUT) == [], width
        assert found.run("document.querySelectorAll('#embedding .plane').length") == 5
        quiet(found, path)


def test_dark_has_its_own_colors_and_print_is_light(browser, pages):
    background = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, pages("truth"), color_scheme="dark") as found:
        assert found.run(background) == "rgb(20, 23, 27)"
        found.page.emulate_media(media="print", color_scheme="dark")
        assert found.run(background) == "rgb(255, 255, 255)"
        assert not found.page.is_visible("#slider")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 820, 1280])
@pytest.mark.parametrize("state", STATES)
def test_every_state_at_every_width(browser, pages, state, width, scheme):
    with opened(browser, pages(state), width, color_scheme=scheme) as found:
        assert found.run(OVERFLOW) <= 0
        quiet(found, pages(state))


@pytest.mark.slow
def test_ten_thousand_rows_stay_quick(browser, tmp_path):
    path = write_report(write_run(tmp_path, Spec(n=12_000, kind="color")))
    with opened(browser, path) as found:
        assert found.run("performance.getEntriesByType('navigation')[0].domInteractive") < 4000
        assert found.page.evaluate(SLIDE, 9000) < 50
        quiet(found, path)

"""What a study's report draws."""

import itertools
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from asft.study import figures, report
from asft.study.facts import Facts
from asft.study.gather import gather
from tests.study.results_of import study


def found(arms: int) -> Facts:
    names = [f"arm {number}" for number in range(arms)]
    made = study({name: partial(right, at) for at, name in enumerate(names)})
    return gather("drawn", dict.fromkeys(names), range(1, 6), "arm 0", "examples", 20, made)


def right(arm: int, seed: int) -> tuple[int, ...]:
    return 40 + seed, 50 + arm, 55 + 2 * arm


@pytest.mark.parametrize(("arms", "bands"), [(2, 2), (figures.FEW, figures.FEW), (figures.FEW + 1, 1)])
def test_many_arms_have_no_bands_in_one_figure_but_that_of_the_reference(arms: int, bands: int) -> None:
    shown = found(arms)
    drawn = str(figures.curves(shown.charts[0], shown.arms, shown.reference))
    assert len(re.findall("<polygon", drawn)) == bands
    assert len(re.findall("<polyline", drawn)) == arms
    assert re.findall('<polygon class="arm-band arm-[0-9]+( reference)?"', drawn).count(" reference") == 1


def test_each_of_many_arms_has_a_panel_with_the_reference_and_both_bands(tmp_path: Path) -> None:
    shown = found(6)
    drawn = str(figures.panels(shown.charts[0], shown.arms, shown.reference))
    assert len(re.findall("<polygon", drawn)) == len(re.findall("<polyline", drawn)) == 2 * 5
    named = re.findall('<text class="arm-name[^>]*>([^<]*)</text>', drawn)
    assert named == [f"arm {number}" for number in range(1, 6)]
    report.write(shown, tmp_path)
    assert (tmp_path / "figures" / "accuracy-examples-by-arm.png").exists()
    assert "Each arm beside arm 0" in (tmp_path / "report.html").read_text("utf-8")


def test_few_arms_have_no_panels(tmp_path: Path) -> None:
    report.write(found(2), tmp_path)
    assert not (tmp_path / "figures" / "accuracy-examples-by-arm.png").exists()
    assert "Each arm beside" not in (tmp_path / "report.html").read_text("utf-8")


def test_points_stand_where_their_figures_are() -> None:
    shown = found(2)
    drawn = str(figures.curves(shown.charts[0], shown.arms, shown.reference))
    ends = [
        (float(x), float(y))
        for x, y in re.findall(r'<circle class="arm-dot arm-0 reference" cx="([\d.]+)" cy="([\d.]+)"', drawn)
    ]
    across = [b[0] - a[0] for a, b in itertools.pairwise(ends)]
    assert across == pytest.approx([across[0]] * 2, abs=0.11), "as many examples in each round"
    assert ends[-1][0] == figures.WIDTH - figures.RIGHT
    # 43, 50 and 55 of 100, on an axis that goes up.
    assert (ends[0][1] - ends[1][1]) / (ends[1][1] - ends[2][1]) == pytest.approx(7 / 5, rel=0.02)


def test_a_curve_that_ends_early_is_led_to_its_name() -> None:
    shown = found(2)
    early, late = shown.charts[0].lines
    short = replace(early, spent=(0.0, 5.0, 10.0))
    drawn = str(figures.curves(replace(shown.charts[0], lines=(short, late)), shown.arms, shown.reference))
    [(start, end)] = [
        (float(x1), float(x2))
        for x1, x2 in re.findall(
            r'<line class="arm-lead far arm-0[^>]* x1="([\d.]+)"[^>]* x2="([\d.]+)"', drawn
        )
    ]
    width = figures.WIDTH - figures.RIGHT - figures.LEFT - figures.INSET
    assert end - start == pytest.approx(width / 2 + 4, abs=0.2)


def test_a_long_name_has_room() -> None:
    shown = found(2)
    long = "the-arm-with-the-longest-name-of-all"
    one, other = shown.charts[0].lines
    lines = (one, replace(other, arm=long))
    drawn = str(figures.curves(replace(shown.charts[0], lines=lines), ("arm 0", long), "arm 0"))
    [start] = re.findall(rf'<text class="arm-name[^>]* x="([\d.]+)"[^>]*>{long}<', drawn)
    assert float(start) + 8 * len(long) < figures.WIDTH

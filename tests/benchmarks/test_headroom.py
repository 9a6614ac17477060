"""The proof behind "600x headroom": what binds, in which order, and what carries the load past it."""

import math
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.headroom import FACTORS, cost_at, main, order, raised
from benchmarks.headroom_load import Load
from benchmarks.headroom_model import Account, Bound, Quota, binding, bounds, quotas
from components.ingestion.usage import WRITES_PER_FILE
from components.settings import IngestionSettings
from local import ROOT, stack_files
from local.cost import StackCost
from local.stack_files import StackConfig
from tests.samples import lines, sample

SETTINGS = IngestionSettings()
RUNS = "Glue runs of the job, busiest hour"
WALK = "Sweeper's daily comparison"
DAY_PARTITION = "DynamoDB writes, one day's partition"


def named(name: str, settings: IngestionSettings = SETTINGS, account: Account | None = None) -> Quota:
    (found,) = [one for one in quotas(settings, account or Account()) if one.name == name]
    return found


def bound(name: str, settings: IngestionSettings = SETTINGS, account: Account | None = None) -> Bound:
    (found,) = [one for one in bounds(settings, account or Account()) if one.quota.name == name]
    return found


def changed(section: str, **values: int) -> IngestionSettings:
    return SETTINGS.model_copy(update={section: getattr(SETTINGS, section).model_copy(update=values)})


@given(st.floats(1, 2000), st.floats(1, 10))
def test_more_load_never_uses_less(factor: float, more: float) -> None:
    for one in quotas(SETTINGS):
        assert one.use(SETTINGS, factor * more) >= one.use(SETTINGS, factor) * (1 - 1e-9), one.name


def test_todays_load_uses_less_than_a_tenth_of_whatever_grows_with_it() -> None:
    assert {
        one.name: one.share(SETTINGS, 1) for one in quotas(SETTINGS) if one.grows and one.share(SETTINGS, 1) > 0.1
    } == {}


def test_a_runs_time_does_not_grow_with_the_load() -> None:
    (fixed,) = [one for one in quotas(SETTINGS) if not one.grows]
    assert fixed.use(SETTINGS, 600) == fixed.use(SETTINGS, 1) < fixed.limit


def test_the_jobs_concurrent_runs_bind_first_at_thirty_times_the_load() -> None:
    first = bounds(SETTINGS)[0]
    assert first.quota.lift == "ingestion.spark.concurrentRuns"
    assert first.quota.name == RUNS
    assert first.factor == pytest.approx(30, rel=0.01)


def test_with_glues_own_default_of_one_run_at_once_the_first_bound_comes_at_three_times() -> None:
    assert bounds(changed("spark", concurrent_runs=1))[0].factor == pytest.approx(3, rel=0.01)


def test_more_concurrent_runs_move_the_bound_to_the_account() -> None:
    first = bounds(changed("spark", concurrent_runs=1000))[0]
    assert first.quota.name == "Glue runs of the account"
    assert first.factor == pytest.approx(150, rel=0.01)


def test_a_larger_account_moves_the_bound_to_the_sweepers_walk_and_more_sweeps_move_that() -> None:
    account = Account(glue_runs=1000, glue_dpus=2000)
    settings = changed("spark", concurrent_runs=1000)
    assert bounds(settings, account)[0].quota.name == WALK
    often = settings.model_copy(update={"manifests": settings.manifests.model_copy(update={"sweep_minutes": 1})})
    assert bounds(often, account)[0].quota.name == DAY_PARTITION
    assert bound(WALK, often).factor == pytest.approx(5 * bound(WALK).factor, rel=0.01)


@pytest.mark.parametrize(
    ("name", "section", "values"),
    [
        (RUNS, "spark", {"concurrent_runs": 20}),
        ("Glue runs of the job, whole day", "spark", {"concurrent_runs": 20}),
        ("Lambda, builders of the queue", "intake", {"max_concurrency": 20}),
        (WALK, "manifests", {"sweep_minutes": 1}),
        (WALK, "intake", {"landing_days": 7}),
        ("SQS in flight", "intake", {"batch_window_seconds": 10}),
    ],
)
def test_the_setting_that_a_quota_names_moves_its_bound(name: str, section: str, values: dict[str, int]) -> None:
    assert bound(name, changed(section, **values)).factor > 1.5 * bound(name).factor
    (key,) = values
    camel = "".join(part.capitalize() if number else part for number, part in enumerate(key.split("_")))
    assert f"ingestion.{section}.{camel}" in named(name).lift


def test_six_hundred_times_does_not_fit_as_settings_and_account_are() -> None:
    over = {one.name for one in binding(quotas(SETTINGS), SETTINGS, 600)}
    assert over == {
        RUNS,
        "Glue runs of the job, whole day",
        "Glue runs of the account",
        "Glue DPUs of the account",
        WALK,
    }


@pytest.mark.parametrize("factor", FACTORS)
def test_each_load_fits_with_two_settings_and_two_requests_and_nothing_else(factor: int) -> None:
    settings, account = raised(SETTINGS, factor)
    assert binding(quotas(settings, account), settings, factor) == []
    assert IngestionSettings.model_validate(settings.model_dump(by_alias=True)) == settings
    back = settings.model_copy(
        update={
            "spark": settings.spark.model_copy(update={"concurrent_runs": SETTINGS.spark.concurrent_runs}),
            "manifests": settings.manifests.model_copy(update={"sweep_minutes": SETTINGS.manifests.sweep_minutes}),
        }
    )
    assert back == SETTINGS
    assert account == Account(glue_runs=account.glue_runs, glue_dpus=account.glue_dpus)


def test_beyond_seven_hundred_times_one_days_partition_binds_and_no_setting_helps() -> None:
    assert bound(DAY_PARTITION).factor == pytest.approx(1000 / (WRITES_PER_FILE * 1000 / 3600), rel=0.01)
    settings, account = raised(SETTINGS, 800)
    assert DAY_PARTITION in {one.name for one in binding(quotas(settings, account), settings, 800)}
    assert named(DAY_PARTITION).lift.startswith("no setting")


def test_a_queue_without_a_limit_never_binds() -> None:
    assert math.isinf(named("SQS messages").limit)
    assert "SQS messages" not in {one.quota.name for one in bounds(SETTINGS)}


def test_uses_are_those_of_the_busiest_hour() -> None:
    assert Load(SETTINGS, 600).files == pytest.approx(1000 * 600 / 3600)
    assert Load(SETTINGS, 600).runs == pytest.approx(200)
    assert Load(SETTINGS, 600).day_runs == pytest.approx(66.67, rel=0.01)


@cache
def cost_of_prod(factor: float) -> StackCost:
    """A run of the whole program, of which two tests look at the same."""
    return cost_at(stack_files.read("prod"), factor)


ONE_WORKER = pytest.mark.xdist_group("headroom")


@ONE_WORKER
def test_the_cost_comes_from_the_real_program_and_grows_with_the_load() -> None:
    once, twelve = cost_of_prod(1), cost_of_prod(12)
    assert once.report.problems == twelve.report.problems == ()
    spark = [one.report.by("block")["ingestion-spark"] for one in (once, twelve)]
    assert spark[1] == pytest.approx(12 * spark[0], rel=0.01)


@ONE_WORKER
def test_the_table_names_what_binds_and_what_carries_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shared(config: StackConfig, factor: float) -> StackCost:
        assert config == stack_files.read("prod")
        return cost_of_prod(factor)

    monkeypatch.setattr("benchmarks.headroom.cost_at", shared)
    monkeypatch.setattr("sys.argv", ["headroom.py"])
    main()
    printed = capsys.readouterr().out
    assert "binds: nothing" in printed
    assert "no, still binds" not in printed
    assert "concurrentRuns 250, sweepMinutes 1" in printed
    assert all(f"\n{factor}x: " in f"\n{printed}" for factor in FACTORS)
    stale = set(sample("docs/headroom.md", "Trimmed: ")) - lines(printed)
    assert stale == set(), "run `make headroom` and put its table into docs/headroom.md"


def test_the_page_shows_the_order_in_which_quotas_bind() -> None:
    page = (ROOT / "docs" / "headroom.md").read_text()
    missing = [line for line in order(SETTINGS)[:10] if line not in page]
    assert missing == [], "run `make headroom` and put its table into docs/headroom.md"

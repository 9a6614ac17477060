"""Tests of the headroom of ingestion: the multiple of the expected load at which each quota of AWS is used up.

`make headroom` prints these multiples (called factors), and the limits that must be raised for a larger load.
"""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from benchmarks.ingestion_quota_headroom import FACTORS, main, price_load, raise_limits
from benchmarks.ingestion_quota_model import (
    PeakLoad,
    Quota,
    binding_quotas,
    exceeded_quotas,
    least_pause_seconds,
    list_quotas,
)
from components.blocks.states import retry, total_pause_seconds
from components.settings import IngestionSettings
from local.preview import stack_files
from local.preview.cost import StackCost
from local.preview.stack_files import StackConfig

SETTINGS = IngestionSettings()
# Names of quotas.
RUNS = "Glue runs of the job, busiest hour"
BACKLOG = "Wait for a run, a day's files at once"
RUNS_OF_DAY = "Glue runs of the job, whole day"
ACCOUNT_RUNS = "Glue runs of the account"
DPUS = "Glue DPUs of the account"
DAY_PARTITION = "DynamoDB writes, one day's partition"
UNLIMITED = ("SQS messages", "Glue time of one run")


def find_quota(name: str, settings: IngestionSettings = SETTINGS) -> Quota:
    (quota,) = [quota for quota in list_quotas(settings) if quota.name == name]
    return quota


def change_settings(section: str, **values: int) -> IngestionSettings:
    return SETTINGS.model_copy(update={section: getattr(SETTINGS, section).model_copy(update=values)})


@given(st.floats(1, 2000), st.floats(1, 10))
def test_more_load_never_uses_a_smaller_share_of_a_quota(factor: float, increase: float) -> None:
    for quota in list_quotas(SETTINGS):
        assert quota.share(SETTINGS, factor * increase) >= quota.share(SETTINGS, factor) * (1 - 1e-9), quota.name


def test_quotas_are_used_up_in_this_order() -> None:
    factors = [(quota.name, round(factor)) for quota, factor in binding_quotas(SETTINGS)]
    assert factors[:6] == [
        (RUNS, 30),
        (BACKLOG, 63),
        (RUNS_OF_DAY, 90),
        (ACCOUNT_RUNS, 150),
        (DPUS, 450),
        (DAY_PARTITION, 720),
    ]
    assert factors[6][1] > 3000, "all other quotas suffice for a much larger load"
    assert {quota.name for quota in list_quotas(SETTINGS)} - {name for name, _ in factors} == set(UNLIMITED)


def test_with_one_concurrent_glue_run_the_first_quota_is_used_up_at_three_times_the_load() -> None:
    assert binding_quotas(change_settings("spark", concurrent_runs=1))[0][1] == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize(
    ("name", "section", "values"),
    [
        (RUNS, "spark", {"concurrent_runs": 20}),
        (RUNS_OF_DAY, "spark", {"concurrent_runs": 20}),
        (BACKLOG, "spark", {"concurrent_runs": 20}),
        ("Lambda, builders of the queue", "intake", {"max_concurrency": 20}),
        ("SQS in flight", "intake", {"batch_window_seconds": 10}),
    ],
)
def test_the_setting_that_a_quota_names_raises_its_limit(name: str, section: str, values: dict[str, int]) -> None:
    changed = change_settings(section, **values)
    before, after = find_quota(name), find_quota(name, changed)
    assert after.max_factor(changed) > 1.5 * before.max_factor(SETTINGS)
    (key,) = values
    assert f"ingestion.{section}.{to_camel(key)}" in before.raised_by


@pytest.mark.parametrize("factor", FACTORS)
def test_each_load_fits_with_one_changed_setting_and_two_raised_quotas(factor: int) -> None:
    limits = raise_limits(SETTINGS, factor)
    settings = limits.apply(SETTINGS)
    assert exceeded_quotas(settings, factor, limits.account) == []
    assert IngestionSettings.model_validate(settings.model_dump(by_alias=True)) == settings
    changed = {
        (section, name)
        for section, values in settings.model_dump().items()
        if isinstance(values, dict)
        for name, value in values.items()
        if value != SETTINGS.model_dump()[section][name]
    }
    assert changed <= {("spark", "concurrent_runs")}


def test_beyond_seven_hundred_times_the_load_one_days_partition_is_used_up() -> None:
    limits = raise_limits(SETTINGS, 800)
    (quota,) = exceeded_quotas(limits.apply(SETTINGS), 800, limits.account)
    assert quota.name == DAY_PARTITION
    assert quota.raised_by.startswith("no setting")


def test_the_usage_is_that_of_the_busiest_hour() -> None:
    """By default, 1,000 files arrive in the busiest hour and 8,000 in a day. A run takes four minutes for 200 files."""
    load = PeakLoad(SETTINGS, 600)
    assert load.files == pytest.approx(1000 * 600 / 3600)
    assert load.runs == pytest.approx(200)
    assert load.day_runs == pytest.approx(66.67, rel=0.01)
    assert math.isinf(find_quota("SQS messages").limit)


def test_quotas_are_printed_in_the_order_in_which_they_are_used_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output also contains the costs, which exceed the budget of prod before the load uses up any quota."""
    costs: dict[float, StackCost] = {}

    def record_cost(config: StackConfig, factor: float) -> StackCost:
        assert config == stack_files.read_stack("prod")
        return costs.setdefault(factor, price_load(config, factor))

    monkeypatch.setattr("benchmarks.ingestion_quota_headroom.price_load", record_cost)
    monkeypatch.setattr("sys.argv", ["headroom"])
    main()
    single, twelvefold = (costs[factor].report for factor in (1, 12))
    spark_cost = single.sum_by("block")["ingestion-spark"]
    assert twelvefold.sum_by("block")["ingestion-spark"] == pytest.approx(12 * spark_cost, rel=0.01)
    budget = json.loads(stack_files.read_stack("prod").values["polyphony:foundation"])["spend"]["monthlyBudget"]
    assert budget == 500
    factor_of_budget = 1 + 11 * (budget - single.total) / (twelvefold.total - single.total)
    assert factor_of_budget == pytest.approx(1.7, abs=0.1)
    loads, quotas = capsys.readouterr().out.strip().split("\n\n")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in loads.splitlines()[2:]]
    assert [(row[0], row[-1]) for row in rows] == [(f"{factor}x", "none") for factor in FACTORS]
    printed_names = [line.split("|")[1].strip() for line in quotas.splitlines()[2:]]
    assert printed_names == [quota.name for quota, _ in binding_quotas(SETTINGS)] + list(UNLIMITED)


def test_the_least_pause_is_five_standard_deviations_below_the_average() -> None:
    """With full jitter, a pause is uniformly distributed, so its average is half its maximum. Its standard deviation is
    the maximum divided by the square root of 12. For n pauses, the share of the deviation shrinks by the square root of n.
    """
    few, many = (retry(["X"], attempts=attempts, first_seconds=60, longest_seconds=60) for attempts in (100, 400))
    assert least_pause_seconds(few) / total_pause_seconds(few) == pytest.approx(0.5 - 5 / 12**0.5 / 10)
    assert least_pause_seconds(many) / total_pause_seconds(many) == pytest.approx(0.5 - 5 / 12**0.5 / 20)

"""Tests of the layout and the metrics of dashboards."""

import json

from components.blocks.monitoring.alarm import Metric
from components.blocks.monitoring.dashboard import Chart, Dashboard, DashboardArgs, layout
from tests.fake_engine import Engine, scope

CHART = Chart("calls", [Metric("AWS/Lambda", "Errors", {"Resource": "f:live", "FunctionName": "f"})])


def test_the_charts_of_a_row_share_its_width() -> None:
    positions = [
        (widget["x"], widget["y"], widget["width"]) for widget in layout([[CHART, CHART, CHART], [CHART]], "us-east-1")
    ]
    assert positions == [(0, 0, 8), (8, 0, 8), (16, 0, 8), (0, 6, 24)]


def test_a_metric_has_the_format_of_cloudwatch() -> None:
    (widget,) = layout([[CHART]], "us-east-1")
    assert widget["properties"] == {
        "title": "calls",
        "region": "us-east-1",
        "view": "timeSeries",
        "metrics": [
            ["AWS/Lambda", "Errors", "FunctionName", "f", "Resource", "f:live", {"stat": "Sum", "period": 300}]
        ],
    }


def test_a_dashboard_is_named_after_its_stack(engine: Engine) -> None:
    dashboard = engine.run(lambda: Dashboard("overview", DashboardArgs(scope(), [[CHART]]))).one("cloudwatch.Dashboard")
    assert dashboard.inputs["dashboardName"] == "polyphony-test-ingestion-overview"
    assert len(json.loads(dashboard.inputs["dashboardBody"])["widgets"]) == 1

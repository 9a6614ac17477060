"""How many files a second one worker of the deployed manifest builder takes in on the local platform.

The function as deployed, with its role's permissions enforced, gets batches as the queue would hand them over, one at a
time; the last one closes a manifest of all of them. The emulator answers every call, on the same cores.
"""

import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from local import emulator, stack_files
from local.aws import EmulatorClients
from local.platform import deploy
from local.progress import Silent
from tests.handlers.ingestion.test_files import body, record

FILES = 1000
BATCH = 100
KEY = "polyphony:ingestion"


def main() -> None:
    """Prints two lines."""
    config = stack_files.read("local")
    settings = {**json.loads(config.values[KEY]), "logLevel": "INFO", "manifests": {"files": FILES}}
    config = replace(config, values={**config.values, KEY: json.dumps(settings)})
    with tempfile.TemporaryDirectory() as folder, emulator.start(Path(folder)) as started:
        deployed = deploy(config, started.emulator, Silent())
        ids = deployed.ids
        clients = EmulatorClients(started.emulator.endpoint)
        builder = f"{ids['ingestion-manifest-builder-function']}:live"
        now = datetime.now(UTC).isoformat()
        names = [f"incoming/part-{number:05}.ndjson" for number in range(FILES)]
        bucket = {"name": ids["ingestion-landing-bucket"]}
        events = [record(name, eventTime=now) for name in names]
        for event in events:
            event["s3"]["bucket"] = bucket
        seconds = []
        for first in range(0, FILES, BATCH):
            messages = [
                {"messageId": str(number), "body": body(event), "eventSource": "aws:sqs"}
                for number, event in enumerate(events[first : first + BATCH])
            ]
            start = time.perf_counter()
            answer = clients("lambda").invoke(FunctionName=builder, Payload=json.dumps({"Records": messages}))
            seconds.append(time.perf_counter() - start)
            said = json.loads(answer["Payload"].read())
            if said != {"batchItemFailures": []}:
                raise SystemExit(f"the builder answered {said}")
        tracked = clients("dynamodb").scan(TableName=ids["ingestion-files-table"], Select="COUNT")["Count"]
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{FILES} files, {BATCH} a batch, one worker: {FILES / sum(seconds):.0f} files/s; {tracked} records")
    print(
        f"a batch: first {seconds[0]:.2f} s, middle {sorted(seconds)[len(seconds) // 2]:.2f} s, last {seconds[-1]:.2f} s"
    )


if __name__ == "__main__":
    main()

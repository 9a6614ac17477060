"""What names from outside may look like, as pydantic takes it: ours, Transcribe's and Bedrock's."""

from typing import Annotated

from pydantic import StringConstraints

from handlers.common.identity import user_ids
from handlers.common.time_and_ids import ulid

Ulid = Annotated[str, StringConstraints(pattern=rf"^{ulid.PATTERN}$")]
User = Annotated[str, StringConstraints(pattern=rf"^{user_ids.PATTERN}$")]
"""The platform's own name for somebody."""
LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}-[A-Z]{2}$")]
"""As Amazon Transcribe names it. Which of them it knows changes."""
ModelId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.:-]{1,256}$")]
"""A model's, or an inference profile's."""
GuardrailId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,64}$")]
GuardrailVersion = Annotated[str, StringConstraints(pattern=r"^(?:[1-9][0-9]{0,7}|DRAFT)$")]

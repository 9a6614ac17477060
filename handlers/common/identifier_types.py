"""Pydantic types of identifiers in requests and settings: ULIDs, user ids, language codes and models."""

from typing import Annotated

from pydantic import StringConstraints

from handlers.common.identity import user_ids
from handlers.common.time_and_ids import ulid

Ulid = Annotated[str, StringConstraints(pattern=rf"^{ulid.ULID_PATTERN}$")]
UserId = Annotated[str, StringConstraints(pattern=rf"^{user_ids.USER_ID_PATTERN}$")]
"""Hash of a user's identity (`user_ids`)."""
LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}-[A-Z]{2}$")]
"""Language code of Amazon Transcribe, for example `en-US`. Only the form is checked, because AWS adds languages."""
ModelId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.:-]{1,256}$")]
"""Id of a Bedrock model or inference profile."""

"""A secret: stored encrypted, marked as one in the state, and read by name."""

from components.blocks.storage.secret import Secret, SecretArgs
from tests.fake_engine import Engine, scope

CANARY = "canary-of-a-secret"


def test_what_it_says_is_encrypted_and_marked_as_secret(engine: Engine) -> None:
    one = engine.run(lambda: Secret("cursors", SecretArgs(scope(), "EncryptionKey", CANARY))).one("ssm.Parameter")
    assert (one.inputs["type"], one.inputs["name"]) == ("SecureString", "/polyphony-test-ingestion-cursors")
    assert "keyId" not in one.inputs, "the key that the service owns costs nothing"
    marked = one.request.object.fields["value"].struct_value.fields
    assert marked, "a secret is wrapped on its way to the engine"
    assert marked["value"].string_value == CANARY

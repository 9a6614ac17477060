"""Test of a secret: encrypted in SSM and marked as secret in the state."""

from components.blocks.storage.secret_parameter import Secret, SecretArgs
from tests.fake_engine import Engine, scope

CANARY = "canary-of-a-secret"


def test_the_value_is_encrypted_and_marked_as_secret(engine: Engine) -> None:
    parameter = engine.run(lambda: Secret("cursors", SecretArgs(scope(), "EncryptionKey", CANARY))).one("ssm.Parameter")
    assert (parameter.inputs["type"], parameter.inputs["name"]) == ("SecureString", "/polyphony-test-ingestion-cursors")
    assert "keyId" not in parameter.inputs, "the AWS managed key is free"
    secret_wrapper = parameter.request.object.fields["value"].struct_value.fields
    assert secret_wrapper, "a secret is wrapped on its way to the engine"
    assert secret_wrapper["value"].string_value == CANARY

"""Bounds, shapes and names between the wire and the kernel."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import BadRequest
from authz_sidecar.model import Mode, Reason
from authz_sidecar.server import codec
from authz_sidecar.server.codec import Limits
from authz_sidecar.wire import authz_pb2 as pb
from tests.server.fakes import answer, principal

LIMITS = Limits()


def test_every_reason_and_mode_has_its_name_on_the_wire_and_no_other() -> None:
    assert {pb.Reason.Name(number) for number in codec.REASONS.values()} == {
        f"REASON_{reason.name}" for reason in Reason
    }
    assert set(pb.Reason.values()) - set(codec.REASONS.values()) == {pb.REASON_UNSPECIFIED}
    assert set(pb.Mode.values()) - {codec.MODES[mode] for mode in Mode} == {pb.MODE_UNSPECIFIED}


def test_a_question_is_read_as_it_was_sent() -> None:
    request = pb.CheckRequest(
        token="t",
        method="tools/call",
        tool="ü",
        server="ops",
        arguments_json=b'{"n":9007199254740993}',
        context={"ip": "1"},
        request_id="r 1",
    )
    query = codec.to_query(request, LIMITS)
    assert (query.token.text, query.server, query.request_id, query.batch) == ("t", "ops", "r 1", False)
    assert query.questions[0].arguments == b'{"n":9007199254740993}'
    assert dict(query.context) == {"ip": "1"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        pytest.param({"method": "m" * 257}, "`method` has 257 bytes, expected at most 256", id="method"),
        pytest.param({"tool": "ü" * 1025}, "`tool` has 2050 bytes, expected at most 2048", id="tool, in bytes"),
        pytest.param({"server": "s" * 257}, "`server` has 257 bytes, expected at most 256", id="server"),
        pytest.param({"request_id": "r" * 129}, "`request_id` has 129 bytes, expected at most 128", id="request id"),
        pytest.param({"request_id": "a\nb"}, "`request_id` has a control or invisible character", id="line end in id"),
        pytest.param({"request_id": "a\u202eb"}, "`request_id` has a control or invisible", id="override in id"),
        pytest.param(
            {"arguments_json": b'{"a":"' + b"x" * 262_144 + b'"}'}, "`arguments_json` has 262152 bytes", id="arguments"
        ),
        pytest.param({"arguments_json": b"[1]"}, "`arguments_json` is not a JSON object", id="arguments are a list"),
        pytest.param({"arguments_json": b"null"}, "`arguments_json` is not a JSON object", id="arguments are null"),
        pytest.param({"arguments_json": b"{"}, "`arguments_json` ", id="half an object"),
        pytest.param({"arguments_json": b'{"a":1,"A":2}'}, "differ only by case", id="keys that two parsers fold"),
        pytest.param({"arguments_json": b'{"a":' * 65 + b"1" + b"}" * 65}, "nested deeper than 64", id="depth"),
        pytest.param({"context": {str(at): "" for at in range(33)}}, "`context` has 33 entries", id="context entries"),
        pytest.param({"context": {"a": "x" * 1024}}, "`context` has an entry of 1025 bytes", id="context entry"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(fields: dict, says: str) -> None:
    with pytest.raises(BadRequest) as told:
        codec.to_query(pb.CheckRequest(**fields), LIMITS)
    assert says in told.value.public


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"method": "m" * 256, "tool": "t" * 2048, "request_id": "r" * 128}, id="names"),
        pytest.param({"arguments_json": b'{"a":"' + b"x" * (262_144 - 8) + b'"}'}, id="arguments"),
        pytest.param({"arguments_json": b'{"a":' * 64 + b"1" + b"}" * 64}, id="depth"),
        pytest.param({"context": {str(at): "" for at in range(31)} | {"a": "x" * 1023}}, id="context"),
        pytest.param({"token": "t" * 100_000}, id="a token of any size is the verifier's to judge"),
        pytest.param({}, id="nothing at all"),
    ],
)
def test_what_is_just_within_bounds_is_taken(fields: dict) -> None:
    codec.to_query(pb.CheckRequest(**fields), LIMITS)


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_one_to_a_thousand_items(count: int) -> None:
    with pytest.raises(BadRequest, match=f"`items` has {count} items, expected 1 to 1000"):
        codec.to_batch(pb.CheckBatchRequest(items=[pb.CheckBatchItem()] * count), LIMITS)


def test_a_bad_item_is_named_by_its_place() -> None:
    items = [pb.CheckBatchItem(), pb.CheckBatchItem(arguments_json=b"[]")]
    with pytest.raises(BadRequest, match=r"`items\[1\].arguments_json` is not a JSON object"):
        codec.to_batch(pb.CheckBatchRequest(items=items), LIMITS)


@given(
    st.builds(
        pb.CheckRequest,
        token=st.text(max_size=20),
        method=st.text(max_size=300),
        tool=st.text(max_size=50),
        arguments_json=st.binary(max_size=50)
        | st.dictionaries(st.text(), st.integers()).map(lambda d: json.dumps(d).encode()),
        request_id=st.text(max_size=140),
        context=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=40),
    )
)
def test_any_request_is_read_or_refused(request: pb.CheckRequest) -> None:
    try:
        query = codec.to_query(request, LIMITS)
    except BadRequest:
        return
    assert codec.to_response(query, answer(query)).request_id == request.request_id


@given(st.binary(max_size=200))
def test_any_arguments_are_a_strict_object_or_refused(data: bytes) -> None:
    try:
        codec.to_query(pb.CheckRequest(arguments_json=data), LIMITS)
    except BadRequest:
        return
    assert not data or isinstance(json.loads(data), dict)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1.5, 1e12, 1e300, float("inf"), float("nan")])
def test_any_expiry_can_be_written(seconds: float) -> None:
    written = codec.timestamp(seconds)
    written.ToJsonString()
    assert written.seconds == {1.5: 1}.get(seconds, 253_402_300_799 if seconds > 2 else 0)


def test_a_caller_that_was_not_verified_is_absent_from_both_answers() -> None:
    query = codec.to_batch(pb.CheckBatchRequest(items=[pb.CheckBatchItem(tool="x")]), LIMITS)
    given = answer(query, principal=None)
    for response in (codec.to_response(query, given), codec.to_batch_response(query, given)):
        assert not response.HasField("principal")
        assert not response.HasField("token_expires_at")


def test_all_that_is_known_of_a_caller_is_written() -> None:
    query = codec.to_query(pb.CheckRequest(), LIMITS)
    who = principal("alice", client_id="c", actor="bot", scopes=frozenset({"b", "a"}), token_id="j")
    got = codec.to_response(query, answer(query, principal=who)).principal
    assert (got.client_id, got.actor, list(got.scopes), got.token_id) == ("c", "bot", ["a", "b"], "j")


@pytest.mark.parametrize(
    ("development", "says"),
    [
        pytest.param(True, "not permitted (development key)", id="marked"),
        pytest.param(False, "not permitted", id="not"),
    ],
)
def test_an_answer_on_a_development_key_says_so(development: bool, says: str) -> None:
    query = codec.to_batch(pb.CheckBatchRequest(items=[pb.CheckBatchItem(tool="x")]), LIMITS)
    given = answer(query, principal=principal("alice", development=development))
    assert codec.to_response(query, given).message == says
    assert codec.to_batch_response(query, given).results[0].message == says

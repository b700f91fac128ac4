import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_ALLOWED_BY_RULE: _ClassVar[Reason]
    REASON_DENIED_BY_RULE: _ClassVar[Reason]
    REASON_NO_MATCHING_RULE: _ClassVar[Reason]
    REASON_INSUFFICIENT_SCOPE: _ClassVar[Reason]
    REASON_CONDITION_ERROR: _ClassVar[Reason]
    REASON_METHOD_UNKNOWN: _ClassVar[Reason]
    REASON_SERVER_UNKNOWN: _ClassVar[Reason]
    REASON_TOKEN_MISSING: _ClassVar[Reason]
    REASON_TOKEN_MALFORMED: _ClassVar[Reason]
    REASON_TOKEN_TYPE_NOT_ALLOWED: _ClassVar[Reason]
    REASON_TOKEN_ALGORITHM_NOT_ALLOWED: _ClassVar[Reason]
    REASON_TOKEN_KEY_UNKNOWN: _ClassVar[Reason]
    REASON_TOKEN_SIGNATURE_INVALID: _ClassVar[Reason]
    REASON_TOKEN_ISSUER_UNKNOWN: _ClassVar[Reason]
    REASON_TOKEN_AUDIENCE_MISMATCH: _ClassVar[Reason]
    REASON_TOKEN_EXPIRED: _ClassVar[Reason]
    REASON_TOKEN_NOT_YET_VALID: _ClassVar[Reason]
    REASON_TOKEN_CLAIM_MISSING: _ClassVar[Reason]
    REASON_TOKEN_BINDING_MISSING: _ClassVar[Reason]
    REASON_TOKEN_REVOKED: _ClassVar[Reason]
    REASON_TOKEN_INACTIVE: _ClassVar[Reason]

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_ENFORCE: _ClassVar[Mode]
    MODE_OBSERVE: _ClassVar[Mode]

class RevocationKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVOCATION_KIND_UNSPECIFIED: _ClassVar[RevocationKind]
    REVOCATION_KIND_TOKEN: _ClassVar[RevocationKind]
    REVOCATION_KIND_SUBJECT: _ClassVar[RevocationKind]
    REVOCATION_KIND_CLIENT: _ClassVar[RevocationKind]
    REVOCATION_KIND_FAMILY: _ClassVar[RevocationKind]
    REVOCATION_KIND_ISSUER: _ClassVar[RevocationKind]
REASON_UNSPECIFIED: Reason
REASON_ALLOWED_BY_RULE: Reason
REASON_DENIED_BY_RULE: Reason
REASON_NO_MATCHING_RULE: Reason
REASON_INSUFFICIENT_SCOPE: Reason
REASON_CONDITION_ERROR: Reason
REASON_METHOD_UNKNOWN: Reason
REASON_SERVER_UNKNOWN: Reason
REASON_TOKEN_MISSING: Reason
REASON_TOKEN_MALFORMED: Reason
REASON_TOKEN_TYPE_NOT_ALLOWED: Reason
REASON_TOKEN_ALGORITHM_NOT_ALLOWED: Reason
REASON_TOKEN_KEY_UNKNOWN: Reason
REASON_TOKEN_SIGNATURE_INVALID: Reason
REASON_TOKEN_ISSUER_UNKNOWN: Reason
REASON_TOKEN_AUDIENCE_MISMATCH: Reason
REASON_TOKEN_EXPIRED: Reason
REASON_TOKEN_NOT_YET_VALID: Reason
REASON_TOKEN_CLAIM_MISSING: Reason
REASON_TOKEN_BINDING_MISSING: Reason
REASON_TOKEN_REVOKED: Reason
REASON_TOKEN_INACTIVE: Reason
MODE_UNSPECIFIED: Mode
MODE_ENFORCE: Mode
MODE_OBSERVE: Mode
REVOCATION_KIND_UNSPECIFIED: RevocationKind
REVOCATION_KIND_TOKEN: RevocationKind
REVOCATION_KIND_SUBJECT: RevocationKind
REVOCATION_KIND_CLIENT: RevocationKind
REVOCATION_KIND_FAMILY: RevocationKind
REVOCATION_KIND_ISSUER: RevocationKind

class CheckRequest(_message.Message):
    __slots__ = ("token", "method", "tool", "server", "arguments_json", "context", "request_id")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    token: str
    method: str
    tool: str
    server: str
    arguments_json: bytes
    context: _containers.ScalarMap[str, str]
    request_id: str
    def __init__(self, token: _Optional[str] = ..., method: _Optional[str] = ..., tool: _Optional[str] = ..., server: _Optional[str] = ..., arguments_json: _Optional[bytes] = ..., context: _Optional[_Mapping[str, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CheckResponse(_message.Message):
    __slots__ = ("allowed", "reason", "message", "principal", "rules", "policy_revision", "decision_id", "required_scopes", "token_expires_at", "request_id", "mode")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_SCOPES_FIELD_NUMBER: _ClassVar[int]
    TOKEN_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    allowed: bool
    reason: Reason
    message: str
    principal: Principal
    rules: _containers.RepeatedCompositeFieldContainer[RuleRef]
    policy_revision: str
    decision_id: str
    required_scopes: _containers.RepeatedScalarFieldContainer[str]
    token_expires_at: _timestamp_pb2.Timestamp
    request_id: str
    mode: Mode
    def __init__(self, allowed: _Optional[bool] = ..., reason: _Optional[_Union[Reason, str]] = ..., message: _Optional[str] = ..., principal: _Optional[_Union[Principal, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[RuleRef, _Mapping]]] = ..., policy_revision: _Optional[str] = ..., decision_id: _Optional[str] = ..., required_scopes: _Optional[_Iterable[str]] = ..., token_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ...) -> None: ...

class Principal(_message.Message):
    __slots__ = ("issuer", "subject", "client_id", "actor", "subjects", "scopes", "token_id")
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    issuer: str
    subject: str
    client_id: str
    actor: str
    subjects: _containers.RepeatedScalarFieldContainer[str]
    scopes: _containers.RepeatedScalarFieldContainer[str]
    token_id: str
    def __init__(self, issuer: _Optional[str] = ..., subject: _Optional[str] = ..., client_id: _Optional[str] = ..., actor: _Optional[str] = ..., subjects: _Optional[_Iterable[str]] = ..., scopes: _Optional[_Iterable[str]] = ..., token_id: _Optional[str] = ...) -> None: ...

class RuleRef(_message.Message):
    __slots__ = ("source", "line", "text", "allow")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ALLOW_FIELD_NUMBER: _ClassVar[int]
    source: str
    line: int
    text: str
    allow: bool
    def __init__(self, source: _Optional[str] = ..., line: _Optional[int] = ..., text: _Optional[str] = ..., allow: _Optional[bool] = ...) -> None: ...

class CheckBatchRequest(_message.Message):
    __slots__ = ("token", "server", "items", "context", "request_id")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    token: str
    server: str
    items: _containers.RepeatedCompositeFieldContainer[CheckBatchItem]
    context: _containers.ScalarMap[str, str]
    request_id: str
    def __init__(self, token: _Optional[str] = ..., server: _Optional[str] = ..., items: _Optional[_Iterable[_Union[CheckBatchItem, _Mapping]]] = ..., context: _Optional[_Mapping[str, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CheckBatchItem(_message.Message):
    __slots__ = ("method", "tool", "arguments_json")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    method: str
    tool: str
    arguments_json: bytes
    def __init__(self, method: _Optional[str] = ..., tool: _Optional[str] = ..., arguments_json: _Optional[bytes] = ...) -> None: ...

class CheckBatchResponse(_message.Message):
    __slots__ = ("results", "principal", "policy_revision", "decision_id", "token_expires_at", "request_id", "mode")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[CheckResponse]
    principal: Principal
    policy_revision: str
    decision_id: str
    token_expires_at: _timestamp_pb2.Timestamp
    request_id: str
    mode: Mode
    def __init__(self, results: _Optional[_Iterable[_Union[CheckResponse, _Mapping]]] = ..., principal: _Optional[_Union[Principal, _Mapping]] = ..., policy_revision: _Optional[str] = ..., decision_id: _Optional[str] = ..., token_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ...) -> None: ...

class CheckStreamRequest(_message.Message):
    __slots__ = ("check", "more")
    CHECK_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    check: CheckRequest
    more: _containers.RepeatedCompositeFieldContainer[CheckRequest]
    def __init__(self, check: _Optional[_Union[CheckRequest, _Mapping]] = ..., more: _Optional[_Iterable[_Union[CheckRequest, _Mapping]]] = ...) -> None: ...

class CheckStreamResponse(_message.Message):
    __slots__ = ("request_id", "check", "error", "more")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    check: CheckResponse
    error: StreamError
    more: _containers.RepeatedCompositeFieldContainer[CheckStreamResponse]
    def __init__(self, request_id: _Optional[str] = ..., check: _Optional[_Union[CheckResponse, _Mapping]] = ..., error: _Optional[_Union[StreamError, _Mapping]] = ..., more: _Optional[_Iterable[_Union[CheckStreamResponse, _Mapping]]] = ...) -> None: ...

class StreamError(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class WatchPolicyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchPolicyResponse(_message.Message):
    __slots__ = ("policy_revision", "revocation_epoch", "stale")
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_EPOCH_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    policy_revision: str
    revocation_epoch: int
    stale: bool
    def __init__(self, policy_revision: _Optional[str] = ..., revocation_epoch: _Optional[int] = ..., stale: _Optional[bool] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("version", "started_at", "ready", "policy_revision", "policy_loaded_at", "policy_origin", "rules", "memberships", "engine", "stale", "problems", "warnings", "servers", "development_issuers", "confirmation_needed", "shadow")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    POLICY_LOADED_AT_FIELD_NUMBER: _ClassVar[int]
    POLICY_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIPS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    SERVERS_FIELD_NUMBER: _ClassVar[int]
    DEVELOPMENT_ISSUERS_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATION_NEEDED_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    version: str
    started_at: _timestamp_pb2.Timestamp
    ready: bool
    policy_revision: str
    policy_loaded_at: _timestamp_pb2.Timestamp
    policy_origin: str
    rules: int
    memberships: int
    engine: str
    stale: bool
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    warnings: _containers.RepeatedCompositeFieldContainer[Problem]
    servers: _containers.RepeatedCompositeFieldContainer[ServerStatus]
    development_issuers: _containers.RepeatedScalarFieldContainer[str]
    confirmation_needed: bool
    shadow: ShadowStatus
    def __init__(self, version: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ready: _Optional[bool] = ..., policy_revision: _Optional[str] = ..., policy_loaded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., policy_origin: _Optional[str] = ..., rules: _Optional[int] = ..., memberships: _Optional[int] = ..., engine: _Optional[str] = ..., stale: _Optional[bool] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., warnings: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., servers: _Optional[_Iterable[_Union[ServerStatus, _Mapping]]] = ..., development_issuers: _Optional[_Iterable[str]] = ..., confirmation_needed: _Optional[bool] = ..., shadow: _Optional[_Union[ShadowStatus, _Mapping]] = ...) -> None: ...

class ShadowStatus(_message.Message):
    __slots__ = ("policy_revision", "policy_loaded_at", "rules", "memberships", "stale", "problems")
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    POLICY_LOADED_AT_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIPS_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    policy_revision: str
    policy_loaded_at: _timestamp_pb2.Timestamp
    rules: int
    memberships: int
    stale: bool
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    def __init__(self, policy_revision: _Optional[str] = ..., policy_loaded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rules: _Optional[int] = ..., memberships: _Optional[int] = ..., stale: _Optional[bool] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ...) -> None: ...

class ServerStatus(_message.Message):
    __slots__ = ("name", "audience", "mode")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    name: str
    audience: str
    mode: Mode
    def __init__(self, name: _Optional[str] = ..., audience: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("file", "line", "column", "message", "code")
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    file: str
    line: int
    column: int
    message: str
    code: str
    def __init__(self, file: _Optional[str] = ..., line: _Optional[int] = ..., column: _Optional[int] = ..., message: _Optional[str] = ..., code: _Optional[str] = ...) -> None: ...

class ReloadPolicyRequest(_message.Message):
    __slots__ = ("confirm",)
    CONFIRM_FIELD_NUMBER: _ClassVar[int]
    confirm: bool
    def __init__(self, confirm: _Optional[bool] = ...) -> None: ...

class ReloadPolicyResponse(_message.Message):
    __slots__ = ("outcome", "policy_revision", "problems", "warnings")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[ReloadPolicyResponse.Outcome]
        OUTCOME_APPLIED: _ClassVar[ReloadPolicyResponse.Outcome]
        OUTCOME_UNCHANGED: _ClassVar[ReloadPolicyResponse.Outcome]
        OUTCOME_REFUSED: _ClassVar[ReloadPolicyResponse.Outcome]
        OUTCOME_CONFIRMATION_NEEDED: _ClassVar[ReloadPolicyResponse.Outcome]
    OUTCOME_UNSPECIFIED: ReloadPolicyResponse.Outcome
    OUTCOME_APPLIED: ReloadPolicyResponse.Outcome
    OUTCOME_UNCHANGED: ReloadPolicyResponse.Outcome
    OUTCOME_REFUSED: ReloadPolicyResponse.Outcome
    OUTCOME_CONFIRMATION_NEEDED: ReloadPolicyResponse.Outcome
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    outcome: ReloadPolicyResponse.Outcome
    policy_revision: str
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    warnings: _containers.RepeatedCompositeFieldContainer[Problem]
    def __init__(self, outcome: _Optional[_Union[ReloadPolicyResponse.Outcome, str]] = ..., policy_revision: _Optional[str] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., warnings: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("token", "caller", "server", "method", "tool", "arguments_json", "context")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    token: str
    caller: Caller
    server: str
    method: str
    tool: str
    arguments_json: bytes
    context: _containers.ScalarMap[str, str]
    def __init__(self, token: _Optional[str] = ..., caller: _Optional[_Union[Caller, _Mapping]] = ..., server: _Optional[str] = ..., method: _Optional[str] = ..., tool: _Optional[str] = ..., arguments_json: _Optional[bytes] = ..., context: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Caller(_message.Message):
    __slots__ = ("subjects", "scopes")
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    subjects: _containers.RepeatedScalarFieldContainer[str]
    scopes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, subjects: _Optional[_Iterable[str]] = ..., scopes: _Optional[_Iterable[str]] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("allowed", "reason", "policy_revision", "server", "principal", "required_scopes", "rules", "held", "groups", "considered", "considered_more", "miss", "detail")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_SCOPES_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    CONSIDERED_FIELD_NUMBER: _ClassVar[int]
    CONSIDERED_MORE_FIELD_NUMBER: _ClassVar[int]
    MISS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    allowed: bool
    reason: Reason
    policy_revision: str
    server: str
    principal: Principal
    required_scopes: _containers.RepeatedScalarFieldContainer[str]
    rules: _containers.RepeatedCompositeFieldContainer[RuleRef]
    held: _containers.RepeatedCompositeFieldContainer[HeldName]
    groups: _containers.RepeatedCompositeFieldContainer[HeldName]
    considered: _containers.RepeatedCompositeFieldContainer[ConsideredRow]
    considered_more: int
    miss: Miss
    detail: str
    def __init__(self, allowed: _Optional[bool] = ..., reason: _Optional[_Union[Reason, str]] = ..., policy_revision: _Optional[str] = ..., server: _Optional[str] = ..., principal: _Optional[_Union[Principal, _Mapping]] = ..., required_scopes: _Optional[_Iterable[str]] = ..., rules: _Optional[_Iterable[_Union[RuleRef, _Mapping]]] = ..., held: _Optional[_Iterable[_Union[HeldName, _Mapping]]] = ..., groups: _Optional[_Iterable[_Union[HeldName, _Mapping]]] = ..., considered: _Optional[_Iterable[_Union[ConsideredRow, _Mapping]]] = ..., considered_more: _Optional[int] = ..., miss: _Optional[_Union[Miss, _Mapping]] = ..., detail: _Optional[str] = ...) -> None: ...

class HeldName(_message.Message):
    __slots__ = ("name", "by")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    name: str
    by: _containers.RepeatedCompositeFieldContainer[MembershipRow]
    def __init__(self, name: _Optional[str] = ..., by: _Optional[_Iterable[_Union[MembershipRow, _Mapping]]] = ...) -> None: ...

class MembershipRow(_message.Message):
    __slots__ = ("source", "line", "text", "member", "role")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    source: str
    line: int
    text: str
    member: str
    role: str
    def __init__(self, source: _Optional[str] = ..., line: _Optional[int] = ..., text: _Optional[str] = ..., member: _Optional[str] = ..., role: _Optional[str] = ...) -> None: ...

class ConsideredRow(_message.Message):
    __slots__ = ("row", "decides", "missing", "conditional")
    ROW_FIELD_NUMBER: _ClassVar[int]
    DECIDES_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    CONDITIONAL_FIELD_NUMBER: _ClassVar[int]
    row: RuleRef
    decides: bool
    missing: _containers.RepeatedScalarFieldContainer[str]
    conditional: bool
    def __init__(self, row: _Optional[_Union[RuleRef, _Mapping]] = ..., decides: _Optional[bool] = ..., missing: _Optional[_Iterable[str]] = ..., conditional: _Optional[bool] = ...) -> None: ...

class Miss(_message.Message):
    __slots__ = ("missing", "advice", "row")
    MISSING_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    missing: str
    advice: str
    row: RuleRef
    def __init__(self, missing: _Optional[str] = ..., advice: _Optional[str] = ..., row: _Optional[_Union[RuleRef, _Mapping]] = ...) -> None: ...

class RevokeRequest(_message.Message):
    __slots__ = ("issuer", "token", "token_id", "subject", "client_id", "family", "issued_before", "reason", "by")
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    ISSUED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    issuer: str
    token: str
    token_id: str
    subject: str
    client_id: str
    family: str
    issued_before: _timestamp_pb2.Timestamp
    reason: str
    by: str
    def __init__(self, issuer: _Optional[str] = ..., token: _Optional[str] = ..., token_id: _Optional[str] = ..., subject: _Optional[str] = ..., client_id: _Optional[str] = ..., family: _Optional[str] = ..., issued_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., by: _Optional[str] = ...) -> None: ...

class RevokeResponse(_message.Message):
    __slots__ = ("epoch", "revocation", "pending")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    revocation: Revocation
    pending: bool
    def __init__(self, epoch: _Optional[int] = ..., revocation: _Optional[_Union[Revocation, _Mapping]] = ..., pending: _Optional[bool] = ...) -> None: ...

class Revocation(_message.Message):
    __slots__ = ("epoch", "issuer", "kind", "value", "issued_before", "reason", "by", "revoked_at", "keep_until")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ISSUED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_FIELD_NUMBER: _ClassVar[int]
    KEEP_UNTIL_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    issuer: str
    kind: RevocationKind
    value: str
    issued_before: _timestamp_pb2.Timestamp
    reason: str
    by: str
    revoked_at: _timestamp_pb2.Timestamp
    keep_until: _timestamp_pb2.Timestamp
    def __init__(self, epoch: _Optional[int] = ..., issuer: _Optional[str] = ..., kind: _Optional[_Union[RevocationKind, str]] = ..., value: _Optional[str] = ..., issued_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., by: _Optional[str] = ..., revoked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., keep_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListRevocationsRequest(_message.Message):
    __slots__ = ("after_epoch", "limit")
    AFTER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after_epoch: int
    limit: int
    def __init__(self, after_epoch: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListRevocationsResponse(_message.Message):
    __slots__ = ("revocations", "epoch", "total", "stale")
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    revocations: _containers.RepeatedCompositeFieldContainer[Revocation]
    epoch: int
    total: int
    stale: bool
    def __init__(self, revocations: _Optional[_Iterable[_Union[Revocation, _Mapping]]] = ..., epoch: _Optional[int] = ..., total: _Optional[int] = ..., stale: _Optional[bool] = ...) -> None: ...

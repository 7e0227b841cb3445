"""The field names and keywords of the protocols that a LiteLLM proxy forwards."""


def _split_names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


PROTOCOL_KEYS = _split_names(
    """
    role content type text name id index function functions tools tool_calls tool_choice arguments parameters input
    output description image_url images image input_image url detail source data media_type mime_type mimeType format
    bytes inline_data inlineData parts thinking thinking_blocks reasoning reasoning_content reasoning_details summary
    signature refusal audio transcript annotations cache_control ttl citations tool_call_id call_id tool_use_id status
    is_error title context strict properties required items enum const default examples additionalProperties anyOf oneOf
    allOf not minimum maximum minLength maxLength minItems maxItems pattern $ref $defs definitions $schema
    function_call custom input_schema function_declarations functionDeclarations provider_specific_fields
    """
)
"""Field names of the protocols, which are not judged; any other name is read as words."""

PROTOCOL_VALUES = _split_names(
    """
    user assistant system developer tool function model text input_text output_text refusal image image_url input_image
    thinking redacted_thinking reasoning reasoning_text summary_text tool_use tool_result tool_call function_call
    function_call_output custom message base64 url ephemeral auto low high original none required object string number
    integer boolean array null true false completed incomplete in_progress server_tool_use web_search_tool_result
    """
)
"""Protocol keywords, which are not judged."""

KEYWORD_FIELDS = frozenset({"role", "type", "detail", "status", "media_type", "mime_type", "mimeType", "format"})
"""Fields whose values are protocol keywords, not texts, if they are in ``PROTOCOL_VALUES``."""

IDENTIFIER_FIELDS = _split_names(
    """
    id name tool_call_id call_id tool_use_id item_id signature thought_signature thoughtSignature encrypted_content
    $ref $schema
    """
)
"""Fields whose values are identifiers; an identifier of several words is read as text."""

CONTENT_FIELDS = frozenset({"text", "content", "thinking", "reasoning", "reasoning_content", "transcript", "refusal"})
"""Fields whose value a model reads unchanged, even if it looks like an image or an identifier."""

UNJUDGED_TYPES = _split_names(
    """
    input_audio audio audio_url file input_file file_url media video video_url input_video document_url
    container_upload computer_screenshot
    """
)
"""Types of parts whose content is neither text nor image."""

UNJUDGED_FIELDS = _split_names(
    """
    input_audio audio_url file file_data fileData file_uri fileUri file_id file_url video video_url s3Location
    document_url
    """
)
"""Fields that contain or reference content that is neither text nor image."""

IMAGE_FIELDS = frozenset({"image_url", "input_image", "image", "images", "inline_data", "inlineData"})
"""Fields that contain or reference images."""

IMAGE_DATA_FIELDS = _split_names(
    """
    url uri data bytes base64 b64_json path result source image_url image input_image inline_data inlineData
    """
)
"""Fields of an image part that contain the image itself."""

JSON_FIELDS = _split_names(
    """
    input arguments args parameters input_schema output_schema schema json_schema properties $defs definitions
    response annotations citations metadata
    """
)
"""Fields with free-form JSON, whose names have no fixed meaning, so images are recognised only by their values."""

BLOB_FIELDS = frozenset({"data", "bytes", "base64", "b64_json"})
"""Fields with bytes in base64."""

MEDIA_TYPE_FIELDS = ("media_type", "mime_type", "mimeType")
"""Fields with the media type of the bytes."""

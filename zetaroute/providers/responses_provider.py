"""The wire format of OpenAI's Responses."""

from __future__ import annotations

from zetaroute.domain import Arm, Attachment, Query
from zetaroute.providers.base import base64_of, binary_files, text_with_files
from zetaroute.providers.credentials import credentials
from zetaroute.providers.http import Ask, HttpProvider, endpoint
from zetaroute.wire.json_values import JsonObject, mapping, sequence
from zetaroute.wire.responses import SIGNED, responses_items, responses_options, take_responses


class ResponsesProvider(HttpProvider):
    """Asks servers that speak Responses; they are told to keep nothing, so every request brings all turns."""

    def _ask(self, arm: Arm, query: Query, *, streamed: bool) -> Ask:
        return Ask(
            arm=arm,
            query=query,
            url=endpoint(arm, "/responses", "https://api.openai.com/v1"),
            credentials=credentials(arm, key_header="authorization", scheme="Bearer "),
            bodies=_bodies(arm, query, streamed=streamed),
            option="encrypted",
            take=take_responses,
        )


def _bodies(arm: Arm, query: Query, *, streamed: bool) -> tuple[JsonObject, ...]:
    own = {"store": False, **responses_options(arm.options), "model": arm.model, "stream": streamed}
    native = query.native
    if native is not None and native.format == "responses":
        # What its client has written for this format goes out as it came.
        system = {} if arm.system is None else {"instructions": arm.system}
        body = {**own, **system, **native.body}
    else:
        body = {**own, **responses_options({**arm.options, **query.options}), "input": _items(query)}
        system_words = query.system if query.system is not None else arm.system
        if system_words is not None:
            body["instructions"] = system_words
    if arm.effort is not None:
        body["reasoning"] = {**mapping(body.get("reasoning")), "effort": arm.effort}
    included = sequence(body.get("include"))
    if SIGNED in included or not ({"tools", "reasoning"} & body.keys()):
        return (body,)
    # Without it a model begins to think anew after every call of a tool; one that does not think refuses it.
    return {**body, "include": [*included, SIGNED]}, body


def _items(query: Query) -> list[JsonObject]:
    files = [_file_part(file) for file in binary_files(query)]
    words = text_with_files(query)
    content = [*files, {"type": "input_text", "text": words}] if files else words
    asked = {"role": "user", "content": content}
    return [*responses_items(query.history), asked, *responses_items(query.after)]


def _file_part(file: Attachment) -> JsonObject:
    url = f"data:{file.note.media_type};base64,{base64_of(file)}"
    if file.kind == "image":
        return {"type": "input_image", "image_url": url}
    return {"type": "input_file", "filename": file.note.name, "file_data": url}

from pathlib import Path

from safety_core.evaluation.benchmarks.endpoints.client import EndpointClient, EndpointSettings
from safety_core.evaluation.benchmarks.systems.protocols.chat import ChatEndpoint
from safety_core.evaluation.benchmarks.systems.system import Result
from tests.helpers.benchmarks.items import make_item, make_picture
from tests.helpers.benchmarks.servers import Answer, make_completion, run_scripted_server


def ask(answer: Answer, tmp_path: Path) -> tuple[Result, dict[str, object]]:
    with (
        run_scripted_server(lambda path, body: answer) as server,
        EndpointClient(EndpointSettings(url=server.url, key_variable="UNSET_KEY", attempts=1)) as client,
    ):
        system = ChatEndpoint(client, model="m", name="n", max_tokens=7)
        result = system.answer(make_item(picture=make_picture(tmp_path)))
    assert system.info.protocol == "chat"
    return result, server.asked[0][1]


def test_a_reply_is_asked_for_greedily(tmp_path: Path) -> None:
    result, body = ask((200, make_completion("Yes.")), tmp_path)
    assert result.reply == "Yes."
    assert {name: body[name] for name in ("model", "temperature", "max_tokens")} == {
        "model": "m",
        "temperature": 0,
        "max_tokens": 7,
    }


def test_a_blocked_request_has_an_empty_reply(tmp_path: Path) -> None:
    result, _ = ask((400, {"error": {"code": "content_filter"}}), tmp_path)
    assert (result.reply, result.error) == ("", None)


def test_a_failure_is_an_error_without_a_reply(tmp_path: Path) -> None:
    result, _ = ask((500, {}), tmp_path)
    assert (result.reply, result.error, result.seconds) == (None, "http_500", None)


def test_a_picture_that_is_gone_is_an_error_of_the_item(tmp_path: Path) -> None:
    picture = make_picture(tmp_path)
    picture.path.unlink()
    with EndpointClient(EndpointSettings(url="http://127.0.0.1:9", key_variable="UNSET_KEY")) as client:
        result = ChatEndpoint(client, model="m", name="n", max_tokens=7).answer(make_item(picture=picture))
    assert result.error == "picture_unreadable"

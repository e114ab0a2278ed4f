"""Models that another device than the CPU computes, and parameters that are their engine's."""

from fake_models import identity, write_model
from raw_http import four


def with_parameters(**parameters: object) -> str:
    return "\n".join(
        f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'
        for key, value in parameters.items()
    )


def test_a_model_is_computed_by_the_device_that_its_configuration_names(start_server, tmp_path):
    on_gpu = with_parameters(device="gpu:0")
    write_model(tmp_path, "on_gpu", identity(add=1), config=on_gpu)
    write_model(tmp_path, "tried", identity(add=1, probe=True), config=on_gpu)
    write_model(tmp_path, "on_cpu", identity(add=1))
    server = start_server(tmp_path).wait_until_ready()
    for name, device in (("on_gpu", "gpu:0"), ("tried", "gpu:0"), ("on_cpu", None)):
        answer = server.infer(name, four())
        assert answer.status == 200
        assert answer.json["outputs"][0]["data"] == [x + 1 for x in four()["inputs"][0]["data"]]
        metadata = server.get(f"/v2/models/{name}").json
        assert metadata["parameters"].get("device") == device
    assert server.stop() == 0


def test_a_device_that_is_not_there_is_an_error_of_that_model_alone(start_server, tmp_path):
    write_model(tmp_path, "far", identity(), config=with_parameters(device="gpu:7"))
    write_model(tmp_path, "odd", identity(), config=with_parameters(device="abacus"))
    write_model(tmp_path, "the_good", identity())
    server = start_server(tmp_path).wait_for_port()
    server.wait_for_model("the_good")
    assert server.infer("the_good", four()).status == 200
    reason = server.get("/v2/models/far/ready").error
    assert "engine fake has no device gpu:7 here, it has: cpu, gpu:0, gpu:1" in reason
    assert 'parameter "device" is "abacus"' in server.get("/v2/models/odd/ready").error


def test_parameters_go_to_the_engine_which_warns_or_refuses(start_server, tmp_path):
    write_model(tmp_path, "known", identity(), config=with_parameters(delay_us=10, whatever="x"))
    write_model(tmp_path, "a_wrong", identity(), config=with_parameters(delay_us="soon"))
    server = start_server(tmp_path).wait_for_port()
    server.wait_for_model("known")
    assert server.infer("known", four()).status == 200
    parameters = server.get("/v2/models/known").json["parameters"]
    assert parameters["delay_us"] == "10" and "whatever" not in parameters
    assert 'parameter \\"whatever\\" has no effect' in server.log
    assert 'parameter \\"delay_us\\" has no effect' not in server.log
    reason = server.get("/v2/models/a_wrong/ready").error
    assert 'parameter "delay_us" is "soon", a number between 0 and 60000000 is needed' in reason

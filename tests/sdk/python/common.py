"""What the scripts share: a session of the official SDK with the simulator, checks, and how results are told.

Each script is called with the simulator's URL, and with the URL of a receiver, in an empty folder of its own.
It prints one line of JSON for each operation whose results were as they should be, and ends at the first that was not.
"""

import json
import sys

from zohocrmsdk.src.com.zoho.api.authenticator import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.record import BodyWrapper, Record, RecordOperations
from zohocrmsdk.src.com.zoho.crm.api.record.record_operations import GetRecordParam

SIMULATOR, RECEIVER = sys.argv[1:3]


def start(**token):
    """Begins a session; without arguments with the refresh token that the simulator knows."""
    environment = DataCenter.Environment(SIMULATOR, f"{SIMULATOR}/oauth/v2/token", SIMULATOR)
    token = OAuthToken(client_id="1000.SIM", client_secret="sim", **(token or {"refresh_token": "1000.sim.refresh"}))
    Initializer.initialize(environment, token)
    return token


def done(operation, saw):
    print(json.dumps({"operation": operation, "saw": saw}), flush=True)


def same(what, actual, expected):
    if actual != expected:
        raise AssertionError(f"{what} is {actual!r}, not {expected!r}")


def answer(response, status):
    """The object that the SDK made of an answer with this status."""
    if response is None:
        raise AssertionError("the SDK gave nothing: it could not read the answer")
    if response.get_status_code() != status:
        raise AssertionError(f"the status is {response.get_status_code()}, not {status}: {response.get_response_json()}")
    return response.get_object()


def each(items, code="SUCCESS"):
    """The details of items that all succeeded."""
    for item in items:
        told = (item.get_code().get_value(), item.get_status().get_value())
        same("the result", told, (code, "success"))
        if not type(item).__name__.endswith("SuccessResponse"):
            raise AssertionError(f"the SDK made a {type(item).__name__} of it")
    return [item.get_details() for item in items]


def record(**values):
    made = Record()
    for name, value in values.items():
        made.add_key_value(name, value)
    return made


def insert(module, *records):
    """The ids of new records."""
    request = BodyWrapper()
    request.set_data(list(records))
    wrapper = answer(RecordOperations(module).create_records(request, HeaderMap()), 201)
    return [int(it["id"]) for it in each(wrapper.get_data())]


def read(module, record_id, fields):
    parameters = ParameterMap()
    parameters.add(GetRecordParam.fields, ",".join(fields))
    response = RecordOperations(module).get_record(record_id, parameters, HeaderMap())
    records = answer(response, 200).get_data()
    same("the number of records", len(records), 1)
    return {name: records[0].get_key_value(name) for name in fields}

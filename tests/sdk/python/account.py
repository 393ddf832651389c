"""Token by refresh token and by code, users, org, fields."""

import json
import urllib.request

from common import SIMULATOR, answer, done, same, start
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.fields import FieldsOperations
from zohocrmsdk.src.com.zoho.crm.api.fields.fields_operations import GetFieldsParam
from zohocrmsdk.src.com.zoho.crm.api.org import OrgOperations
from zohocrmsdk.src.com.zoho.crm.api.users import UsersOperations
from zohocrmsdk.src.com.zoho.crm.api.users.users_operations import GetUsersParam

request = urllib.request.Request(f"{SIMULATOR}/sim/code", method="POST")
with urllib.request.urlopen(request) as response:
    code = json.load(response)["code"]
token = start(grant_token=code)
same("the API domain", token.get_api_domain(), SIMULATOR)
if not token.get_refresh_token() or token.get_refresh_token() == "1000.sim.refresh":
    raise AssertionError("a code should give a refresh token of its own")
done("code", token.get_user_signature().get_name())

token = start()
first = token.get_access_token()
same("the API domain", token.get_api_domain(), SIMULATOR)
user, org = token.get_user_signature().get_name().split(":")
same("the user", user, "rosa.lark@example.com")
done("token", user)

parameters = ParameterMap()
parameters.add(GetUsersParam.type, "ActiveUsers")
wrapper = answer(UsersOperations().get_users(parameters, HeaderMap()), 200)
people = {it.get_full_name(): it for it in wrapper.get_users()}
same("the users", sorted(people), ["Jane Doe", "Rosa Lark"])
rosa = people["Rosa Lark"]
same("the e-mail", rosa.get_email(), user)
same("the profile", rosa.get_profile().get_name(), "Administrator")
same("the count", wrapper.get_info().get_count(), 2)
wrapper = answer(UsersOperations().get_user(rosa.get_id(), HeaderMap()), 200)
same("the user by id", [it.get_full_name() for it in wrapper.get_users()], ["Rosa Lark"])
done("users", sorted(people))

organisation = answer(OrgOperations().get_organization(), 200).get_org()[0]
same("the org's number", organisation.get_zgid(), org)
same("the edition", organisation.get_license_details().get_paid_type(), "enterprise")
done("org", organisation.get_company_name())

parameters = ParameterMap()
parameters.add(GetFieldsParam.module, "Leads")
fields = {it.get_api_name(): it for it in answer(FieldsOperations().get_fields(parameters), 200).get_fields()}
same("the type of a text", fields["Last_Name"].get_data_type(), "text")
same("a mandatory field", fields["Last_Name"].get_system_mandatory(), True)
same("the type of an amount", fields["Annual_Revenue"].get_data_type(), "currency")
same("where a lookup points", fields["Converted_Account"].get_lookup().get_module().get_api_name(), "Accounts")
choices = [it.get_actual_value() for it in fields["Rating"].get_pick_list_values()]
same("the choices", choices, ["Acquired", "Active", "Market Failed", "Shut Down"])
done("fields", len(fields))

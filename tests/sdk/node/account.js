// Token by refresh token and by code, users, org, fields.
"use strict";

const assert = require("node:assert/strict");
const { answer, done, parameters, run, same, sdk, simulator, start } = require("./common.js");

run(async () => {
  const issued = await fetch(`${simulator}/sim/code`, { method: "POST" });
  let token = await start((await issued.json()).code);
  same("the API domain", token.getAPIDomain(), simulator);
  assert.ok(token.getRefreshToken() && token.getRefreshToken() !== "1000.sim.refresh", "a refresh token of its own");
  done("code", token.getUserSignature().getName());

  token = await start();
  same("the API domain", token.getAPIDomain(), simulator);
  const [user, org] = token.getUserSignature().getName().split(":");
  same("the user", user, "rosa.lark@example.com");
  done("token", user);

  const operations = new sdk.Users.UsersOperations();
  const type = await parameters([sdk.Users.GetUsersParam.TYPE, new sdk.Choice("ActiveUsers")]);
  const wrapper = answer(await operations.getUsers(type, new sdk.HeaderMap()), 200);
  const people = new Map(wrapper.getUsers().map((it) => [it.getFullName(), it]));
  same("the users", [...people.keys()].sort(), ["Jane Doe", "Rosa Lark"]);
  const rosa = people.get("Rosa Lark");
  same("the e-mail", rosa.getEmail(), user);
  same("the profile", rosa.getProfile().getName(), "Administrator");
  same("the count", wrapper.getInfo().getCount(), 2);
  const one = answer(await operations.getUser(rosa.getId(), new sdk.HeaderMap()), 200).getUsers();
  same("the user by id", one.map((it) => it.getFullName()), ["Rosa Lark"]);
  done("users", [...people.keys()]);

  const organisation = answer(await new sdk.Org.OrgOperations().getOrganization(), 200).getOrg()[0];
  same("the org's number", organisation.getZgid(), org);
  same("the edition", organisation.getLicenseDetails().getPaidType(), "enterprise");
  done("org", organisation.getCompanyName());

  const leads = await parameters([sdk.Fields.GetFieldsParam.MODULE, "Leads"]);
  const listed = answer(await new sdk.Fields.FieldsOperations().getFields(leads), 200).getFields();
  const fields = new Map(listed.map((it) => [it.getAPIName(), it]));
  same("the type of a text", fields.get("Last_Name").getDataType(), "text");
  same("a mandatory field", fields.get("Last_Name").getSystemMandatory(), true);
  same("the type of an amount", fields.get("Annual_Revenue").getDataType(), "currency");
  same("where a lookup points", fields.get("Converted_Account").getLookup().getModule().getAPIName(), "Accounts");
  const choices = fields.get("Rating").getPickListValues().map((it) => it.getActualValue());
  same("the choices", choices, ["Acquired", "Active", "Market Failed", "Shut Down"]);
  done("fields", fields.size);
});

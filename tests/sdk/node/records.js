// Create, read, list, update and delete, with a value of each type that the SDK converts.
"use strict";

const { answer, done, each, insert, parameters, read, record, records, run, same, sdk, start } = require("./common.js");

const VALUES = {
  Last_Name: "Sørensen",
  Company: "Reed & Sons",
  Annual_Revenue: 1250.5,
  No_of_Employees: 12,
  Email_Opt_Out: true,
};

run(async () => {
  await start();
  const operations = new sdk.Record.RecordOperations("Leads");
  const headers = () => new sdk.HeaderMap();

  const [lead, other] = await insert(
    "Leads",
    record({ ...VALUES, Lead_Source: new sdk.Choice("Partner") }),
    record({ Last_Name: "Marsh", Company: "Reed & Sons", Rating: new sdk.Choice("Active") }),
  );
  let { Lead_Source, Created_By, Owner, ...kept } = await read("Leads", lead, [
    ...Object.keys(VALUES),
    "Lead_Source",
    "Created_By",
    "Owner",
  ]);
  same("a choice", Lead_Source.getValue(), "Partner");
  same("who made it", Created_By.getName(), "Rosa Lark");
  same("whose it is", Owner.getEmail(), "rosa.lark@example.com");
  same("the lead", kept, VALUES);

  const [account] = await insert("Accounts", record({ Account_Name: "Reed & Sons" }));
  const parent = record({});
  parent.setId(account);
  const [deal] = await insert(
    "Deals",
    record({
      Deal_Name: "Greenhouse",
      Stage: new sdk.Choice("Qualification"),
      Closing_Date: new Date("2031-02-28"),
      Account_Name: parent,
    }),
  );
  const { Closing_Date, Account_Name } = await read("Deals", deal, ["Closing_Date", "Account_Name"]);
  same("a date", Closing_Date, new Date("2031-02-28"));
  same("a lookup", [Account_Name.getId(), Account_Name.getKeyValue("name")], [account, "Reed & Sons"]);
  done("create", [lead, other, deal]);

  const mixed = records(record({ Last_Name: "Half", Company: "Way" }), record({ Company: "Nameless" }));
  const [good, bad] = answer(await operations.createRecords(mixed, headers()), 207).getData();
  const half = BigInt(each([good])[0].get("id"));
  same("the refusal", [bad.constructor.name, bad.getCode().getValue()], ["APIException", "MANDATORY_NOT_FOUND"]);
  same("what is missing", bad.getDetails().get("api_name"), "Last_Name");
  done("create in part", bad.getMessage().getValue());

  const list = async (...more) => {
    const param = sdk.Record.GetRecordsParam;
    const fields = "Last_Name,Company,Modified_Time";
    const wanted = await parameters([param.FIELDS, fields], [param.SORT_BY, "id"], [param.SORT_ORDER, "asc"], ...more);
    return operations.getRecords(wanted, headers());
  };
  const two = [sdk.Record.GetRecordsParam.PER_PAGE, 2];
  let page = answer(await list(two), 200);
  same("the first page", page.getData().map((it) => it.getId()), [lead, other]);
  same("whether there is more", page.getInfo().getMoreRecords(), true);
  const next = page.getInfo().getNextPageToken();
  page = answer(await list(two, [sdk.Record.GetRecordsParam.PAGE_TOKEN, next]), 200);
  same("the second page", page.getData().map((it) => it.getKeyValue("Last_Name")), ["Half"]);
  same("whether there is more", page.getInfo().getMoreRecords(), false);
  done("list", page.getData().map((it) => it.getId()));

  const change = records(record({ Company: "Reed Ltd", Annual_Revenue: null }));
  each(answer(await operations.updateRecord(lead, change, headers()), 200).getData());
  const changed = await read("Leads", lead, Object.keys(VALUES));
  same("the lead", changed, { ...VALUES, Company: "Reed Ltd", Annual_Revenue: null });
  const [first, second] = [record({ Last_Name: "Marsh-Reed" }), record({ Last_Name: "Whole" })];
  first.setId(other);
  second.setId(half);
  each(answer(await operations.updateRecords(records(first, second), headers()), 200).getData());
  const names = answer(await list(), 200).getData().map((it) => it.getKeyValue("Last_Name"));
  same("the names", names, ["Sørensen", "Marsh-Reed", "Whole"]);
  done("update", names);

  each(answer(await operations.deleteRecord(lead, await parameters(), headers()), 200).getData());
  const ids = await parameters([sdk.Record.DeleteRecordsParam.IDS, `${other},${half}`]);
  each(answer(await operations.deleteRecords(ids, headers()), 200).getData());
  same("the status of an empty list", (await list()).getStatusCode(), 204);
  const gone = answer(await operations.getDeletedRecords(await parameters(), headers()), 200).getData();
  same("the deleted records", gone.map((it) => it.getId()).sort(), [lead, other, half].sort());
  done("delete", gone.length);
});

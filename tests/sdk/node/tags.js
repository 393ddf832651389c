// Tags made, renamed, put on records and taken off, deleted.
"use strict";

const { answer, done, each, insert, parameters, read, record, run, same, sdk, start } = require("./common.js");

function tag(values) {
  const made = new sdk.Tags.Tag();
  for (const [name, value] of Object.entries(values)) {
    made[`set${name}`](value);
  }
  return made;
}

function named(...tags) {
  const request = new sdk.Tags.BodyWrapper();
  request.setTags(tags.map(tag));
  return request;
}

function onRecords(names, ids) {
  const request = new sdk.Tags.NewTagRequestWrapper();
  request.setTags(names.map((name) => tag({ Name: name })));
  if (ids) {
    request.setIds(ids);
  }
  return request;
}

function offRecords(names, ids) {
  const request = new sdk.Tags.ExistingTagRequestWrapper();
  request.setTags(
    names.map((name) => {
      const made = new sdk.Tags.ExistingTag();
      made.setName(name);
      return made;
    }),
  );
  if (ids) {
    request.setIds(ids);
  }
  return request;
}

async function tagsOf(lead) {
  const { Tag } = await read("Leads", lead, ["Tag"]);
  return Tag.map((it) => it.getName()).sort();
}

run(async () => {
  await start();
  const lead = (name) => record({ Last_Name: name, Company: "Reed Ltd" });
  const [marsh, reed] = await insert("Leads", lead("Marsh"), lead("Reed"));
  const operations = new sdk.Tags.TagsOperations();
  const leads = (family) => parameters([sdk.Tags[family].MODULE, "Leads"]);
  const [blue, violet] = ["#57B1FD", "#879BFC"].map((it) => new sdk.Choice(it));
  const two = named({ Name: "garden", ColorCode: blue }, { Name: "house", ColorCode: violet });
  const made = each(answer(await operations.createTags(two, await leads("CreateTagsParam")), 201).getTags());
  const [garden, house] = made.map((it) => it.get("id"));
  same("who made it", made[0].get("created_by").getName(), "Rosa Lark");
  const home = named({ Name: "home", ColorCode: violet });
  each(answer(await operations.updateTag(house, home, await leads("UpdateTagParam")), 200).getTags());
  const listed = answer(await operations.getTags(await leads("GetTagsParam")), 200).getTags();
  const expected = new Map([[garden, "garden"], [house, "home"]]);
  same("the tags", new Map(listed.map((it) => [it.getId(), it.getName()])), expected);

  const none = await parameters();
  each(answer(await operations.addTags("Leads", marsh, onRecords(["garden"]), none), 200).getData());
  const both = onRecords(["home", "new"], [marsh, reed]);
  const added = each(answer(await operations.addTagsToMultipleRecords("Leads", both, none), 200).getData());
  same("the records", added.map((it) => it.get("id")), [marsh, reed]);
  same("the tags of a record", added[0].get("tags").map((it) => it.getName()).sort(), ["garden", "home", "new"]);
  same("the tags of a record", [await tagsOf(marsh), await tagsOf(reed)], [["garden", "home", "new"], ["home", "new"]]);
  each(answer(await operations.removeTags("Leads", marsh, offRecords(["new"])), 200).getData());
  const off = offRecords(["home"], [marsh, reed]);
  each(answer(await operations.removeTagsFromMultipleRecords("Leads", off, none), 200).getData());
  same("the tags of a record", [await tagsOf(marsh), await tagsOf(reed)], [["garden"], ["new"]]);
  each(answer(await operations.deleteTag(garden), 200).getTags());
  same("the tags of a record", await tagsOf(marsh), []);
  done("tags", await tagsOf(reed));
});

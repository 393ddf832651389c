"""Tags made, renamed, put on records and taken off, deleted."""

from common import answer, done, each, insert, read, record, same, start
from zohocrmsdk.src.com.zoho.crm.api import ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.tags import (
    BodyWrapper as Tags,
    ExistingTag,
    ExistingTagRequestWrapper,
    NewTagRequestWrapper,
    Tag,
    TagsOperations,
)
from zohocrmsdk.src.com.zoho.crm.api.tags.tags_operations import CreateTagsParam, GetTagsParam, UpdateTagParam

start()
marsh, reed = insert(
    "Leads", record(Last_Name="Marsh", Company="Reed Ltd"), record(Last_Name="Reed", Company="Reed Ltd")
)


def named(tag_id=None, **values):
    tag = Tag()
    if tag_id:
        tag.set_id(tag_id)
    for name, value in values.items():
        getattr(tag, f"set_{name}")(value)
    return tag


def tags_of(lead):
    return sorted(it.get_name() for it in read("Leads", lead, ["Tag"])["Tag"])


def on_records(tags, ids=None):
    request = NewTagRequestWrapper()
    request.set_tags([named(name=it) for it in tags])
    if ids:
        request.set_ids(ids)
    return request


def off_records(tags, ids=None):
    existing = []
    for name in tags:
        existing.append(ExistingTag())
        existing[-1].set_name(name)
    request = ExistingTagRequestWrapper()
    request.set_tags(existing)
    if ids:
        request.set_ids(ids)
    return request


def in_leads(parameter):
    parameters = ParameterMap()
    parameters.add(parameter, "Leads")
    return parameters


operations = TagsOperations()
request = Tags()
request.set_tags([named(name="garden", color_code="#57B1FD"), named(name="house", color_code="#879BFC")])
made = each(answer(operations.create_tags(request, in_leads(CreateTagsParam.module)), 201).get_tags())
garden, house = [it["id"] for it in made]
same("who made it", made[0]["created_by"].get_name(), "Rosa Lark")
request = Tags()
request.set_tags([named(name="home", color_code="#879BFC")])
each(answer(operations.update_tag(house, request, in_leads(UpdateTagParam.module)), 200).get_tags())
listed = answer(operations.get_tags(in_leads(GetTagsParam.module)), 200).get_tags()
same("the tags", sorted((it.get_id(), it.get_name()) for it in listed), sorted([(garden, "garden"), (house, "home")]))

each(answer(operations.add_tags("Leads", marsh, on_records(["garden"]), ParameterMap()), 200).get_data())
request = on_records(["home", "new"], [marsh, reed])
added = each(answer(operations.add_tags_to_multiple_records("Leads", request, ParameterMap()), 200).get_data())
same("the records", [it["id"] for it in added], [marsh, reed])
same("the tags of a record", sorted(it.get_name() for it in added[0]["tags"]), ["garden", "home", "new"])
same("the tags of a record", (tags_of(marsh), tags_of(reed)), (["garden", "home", "new"], ["home", "new"]))
each(answer(operations.remove_tags("Leads", marsh, off_records(["new"])), 200).get_data())
request = off_records(["home"], [marsh, reed])
each(answer(operations.remove_tags_from_multiple_records("Leads", request, ParameterMap()), 200).get_data())
same("the tags of a record", (tags_of(marsh), tags_of(reed)), (["garden"], ["new"]))
each(answer(operations.delete_tag(garden), 200).get_tags())
same("the tags of a record", tags_of(marsh), [])
done("tags", tags_of(reed))

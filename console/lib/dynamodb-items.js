// Reads of DynamoDB items, with their attributes converted to JavaScript values.

import { callOperation } from "./aws-requests.js";

const TARGET = "DynamoDB_20120810";

// Return an item, or null if it does not exist.
export async function getItem(stack, credentials, table, key) {
  const response = await callOperation(stack, "dynamodb", `${TARGET}.GetItem`, { TableName: table, Key: toAttributes(key) }, { credentials });
  return response.Item ? fromItem(response.Item) : null;
}

// Return one page of a query, with the start key of the next page in `after`.
export async function query(stack, credentials, request) {
  const response = await callOperation(stack, "dynamodb", `${TARGET}.Query`, request, { credentials });
  return { items: response.Items.map(fromItem), after: response.LastEvaluatedKey };
}

export const toAttributes = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { S: value }]));

export const fromItem = (item) => Object.fromEntries(Object.entries(item).map(([name, value]) => [name, fromAttribute(value)]));

function fromAttribute(attribute) {
  const [[kind, value]] = Object.entries(attribute);
  if (kind === "N") return Number(value);
  if (kind === "NULL") return null;
  if (kind === "L") return value.map(fromAttribute);
  if (kind === "M") return fromItem(value);
  if (kind === "NS") return value.map(Number);
  return value;
}

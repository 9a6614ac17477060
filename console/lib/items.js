// Reads of DynamoDB items, with their attributes converted to JavaScript values.

import { operation } from "./aws.js";

const TARGET = "DynamoDB_20120810";

// Return an item, or null if it does not exist.
export async function getItem(stack, credentials, table, key) {
  const answer = await operation(stack, "dynamodb", `${TARGET}.GetItem`, { TableName: table, Key: texts(key) }, { credentials });
  return answer.Item ? plainItem(answer.Item) : null;
}

// Return one page of a query, with the start key of the next page in `after`.
export async function query(stack, credentials, request) {
  const answer = await operation(stack, "dynamodb", `${TARGET}.Query`, request, { credentials });
  return { items: answer.Items.map(plainItem), after: answer.LastEvaluatedKey };
}

export const texts = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { S: value }]));

export const plainItem = (item) => Object.fromEntries(Object.entries(item).map(([name, value]) => [name, plain(value)]));

function plain(attribute) {
  const [[kind, value]] = Object.entries(attribute);
  if (kind === "N") return Number(value);
  if (kind === "NULL") return null;
  if (kind === "L") return value.map(plain);
  if (kind === "M") return plainItem(value);
  if (kind === "NS") return value.map(Number);
  return value;
}

// DynamoDB's items: reading them, and their attributes as plain values.

import { operation } from "./aws.js";

const TARGET = "DynamoDB_20120810";

// One item; none where there is none.
export async function getItem(stack, credentials, table, key) {
  const answer = await operation(stack, "dynamodb", `${TARGET}.GetItem`, { TableName: table, Key: texts(key) }, { credentials });
  return answer.Item ? plainItem(answer.Item) : null;
}

// A page of a query, and where the next one begins.
export async function query(stack, credentials, asked) {
  const answer = await operation(stack, "dynamodb", `${TARGET}.Query`, asked, { credentials });
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

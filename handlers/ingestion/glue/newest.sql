-- Each key's newest version, of the table that has the rows of all. The same text for Athena's view and for Spark.
-- Only the versions are ranked, which are few; the rows themselves are read once and not sorted. Two uploads within one
-- millisecond: the version's id decides, the same way each time. A version without any row hides nothing.
WITH versions AS (
  SELECT DISTINCT _source_key, _source_version, _arrived_at
  FROM ${table}
),
ranked AS (
  SELECT
    _source_key,
    _source_version,
    _arrived_at,
    ROW_NUMBER() OVER (PARTITION BY _source_key ORDER BY _arrived_at DESC, _source_version DESC) AS place
  FROM versions
)
SELECT every.*
FROM ${table} every
JOIN ranked newest
  ON newest._source_key = every._source_key
  AND newest._source_version = every._source_version
  AND newest._arrived_at = every._arrived_at
WHERE newest.place = 1

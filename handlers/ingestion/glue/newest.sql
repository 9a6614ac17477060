-- Rows of the newest version of each key. The table has the rows of all versions. Athena's view and Spark use the same text.
-- Only the versions are ranked, because they are few. The rows themselves are read once and are not sorted. If two versions
-- arrived within one millisecond, the version id decides, so that the result is always the same. A version without rows
-- does not hide an earlier version.
WITH versions AS (
  SELECT DISTINCT _source_key, _source_version, _arrived_at
  FROM ${table}
),
ranked AS (
  SELECT
    _source_key,
    _source_version,
    _arrived_at,
    ROW_NUMBER() OVER (PARTITION BY _source_key ORDER BY _arrived_at DESC, _source_version DESC) AS version_rank
  FROM versions
)
SELECT all_rows.*
FROM ${table} all_rows
JOIN ranked newest
  ON newest._source_key = all_rows._source_key
  AND newest._source_version = all_rows._source_version
  AND newest._arrived_at = all_rows._arrived_at
WHERE newest.version_rank = 1

-- The machine, whatever it is: every row says something or why it does not.
-- What the numbers mean is tested on machines made of files, in t/074_host.pl.
SELECT count(*) AS flaws FROM glperf.host
WHERE metric IS NULL OR object IS NULL OR unit IS NULL OR source IS NULL
	OR coalesce(message, '') = '' OR status IS NULL
	OR status NOT IN ('ok', 'warning', 'critical', 'unknown')
	OR (value IS NULL AND status IN ('warning', 'critical'))
	OR value < 0 OR value = 'NaN' OR used_bytes > total_bytes;
SELECT count(*) AS twice FROM (
	SELECT FROM glperf.host GROUP BY metric, object HAVING count(*) > 1) d;
-- every threshold of the host has a row on the health page
SELECT t.id AS not_judged FROM glperf.threshold t
WHERE t.source = 'host' AND t.id !~ '_(capacity|spike)$'
	AND NOT EXISTS (SELECT FROM glperf.health_host h WHERE h.check_id = t.id)
ORDER BY 1;
-- this is Linux, so these are known
SELECT count(*) > 0 AS storage, bool_and(value BETWEEN 0 AND 100) AS pct,
	bool_and(total_bytes > 0) AS total
FROM glperf.host WHERE metric = 'storage';
SELECT value BETWEEN 0 AND 100 AS pct, total_bytes > used_bytes AS total
FROM glperf.host WHERE metric = 'memory' AND object = 'machine';
SELECT value BETWEEN 0 AND 100 AS cpu, round(window_s) >= 1 AS waited
FROM glperf.host_metrics(1000) WHERE metric = 'cpu' AND object = 'machine';
SELECT glperf.host_metrics(-1);

-- both ways
BEGIN;
UPDATE glperf.threshold SET warning = 0, critical = 100 WHERE id = 'storage';
SELECT DISTINCT status, remedy IS NOT NULL AS remedy
FROM glperf.health_host WHERE check_id = 'storage';
UPDATE glperf.threshold SET warning = 100 WHERE id = 'storage';
SELECT DISTINCT status, remedy IS NOT NULL AS remedy
FROM glperf.health_host WHERE check_id = 'storage';
ROLLBACK;

-- a machine that tells nothing
SET glperf.host_root = '/nonexistent';
SELECT status, count(value) AS values, count(DISTINCT check_id) AS checks,
	bool_and(message LIKE 'cannot open %') AS said,
	bool_and(remedy IS NOT NULL) AS remedy
FROM glperf.health_host WHERE check_id <> 'storage' GROUP BY status;
RESET glperf.host_root;

-- The machine and the container that the server runs on, judged by the guide.

CREATE FUNCTION host_metrics(
	wait_ms int8 DEFAULT 0, spike_pct float8 DEFAULT 100,
	OUT metric text, OUT object text, OUT value float8, OUT unit text,
	OUT used_bytes int8, OUT total_bytes int8, OUT operations int8,
	OUT window_s float8, OUT source text, OUT message text)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 30
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_host_metrics';
COMMENT ON FUNCTION host_metrics(int8, float8) IS
'What /proc, cgroups (version 1 and 2) and statvfs say about the machine and the container of this server, not judged yet: glperf.host does that. Rates are over the last five minutes where glperf is preloaded, else since an earlier call in this session; wait_ms (500 to 60000) waits between two readings of its own instead. value NULL: unknown, message says why. window_s NULL: a state of now, no rate. operations: what the value is a mean or count of. total_bytes of network_bytes: speed of the link per second. io_wait: share of readings that waited for the disk more than spike_pct. No value needs a lock.';

CREATE VIEW host AS
WITH l AS (
	SELECT
		max(t.warning) FILTER (WHERE t.id = 'io_wait_spike') AS spike_pct,
		max(t.warning) FILTER (WHERE t.id = 'iops_capacity') AS iops,
		max(t.warning) FILTER (WHERE t.id = 'disk_throughput_capacity') * 1e6
			AS disk_bytes,
		max(t.warning) FILTER (WHERE t.id = 'network_capacity') * 1e9 / 8
			AS network_bytes,
		max(t.warning) FILTER (WHERE t.id = 'io_evidence') AS io_evidence
	FROM threshold t
), m AS (
	SELECT h.* FROM l,
		LATERAL host_metrics(0, coalesce(l.spike_pct, 100)) h
), derived AS (
	SELECT m.metric, m.object, m.value, m.unit, m.used_bytes,
		CASE WHEN m.metric <> 'network_bytes' THEN m.total_bytes END
			AS total_bytes,
		m.operations, m.window_s, m.source,
		CASE
			WHEN m.value IS NULL AND m.operations IS NULL THEN m.message
			WHEN m.used_bytes IS NOT NULL THEN pg_catalog.format(
				'%s of %s in use (%s)', pg_catalog.pg_size_pretty(m.used_bytes),
				pg_catalog.pg_size_pretty(m.total_bytes), m.message)
			WHEN m.window_s IS NULL OR m.unit = 'events' THEN m.message
			ELSE pg_catalog.format('%s over %s s (%s)',
				pg_catalog.round(m.value::numeric, 1) || ' ' || m.unit,
				pg_catalog.round(m.window_s::numeric), m.message) END
			AS message
	FROM m
	UNION ALL
	-- the same as a share of what the disk and the network are good for
	SELECT c.metric, m.object, 100.0::float8 * m.value / c.capacity, '%',
		NULL, NULL, NULL, m.window_s, m.source,
		CASE
			WHEN m.value IS NULL THEN m.message
			WHEN c.capacity IS NULL THEN 'no capacity is set in glperf.threshold'
			ELSE pg_catalog.format('%s of %s %s over %s s',
				pg_catalog.round((m.value / c.factor)::numeric, 1),
				pg_catalog.round((c.capacity / c.factor)::numeric, 1), c.unit,
				pg_catalog.round(m.window_s::numeric)) END
	FROM m CROSS JOIN l
	JOIN LATERAL (VALUES
		('disk_operations', 'iops', nullif(l.iops, 0), 'operations per second', 1.0::float8),
		('disk_bytes', 'disk_throughput', nullif(l.disk_bytes, 0), 'MB/s', 1e6),
		('network_bytes', 'network',
		 least(nullif(l.network_bytes, 0), nullif(m.total_bytes, 0)::float8), 'Gbit/s', 1e9 / 8))
		c (of_metric, metric, capacity, unit, factor)
		ON c.of_metric = m.metric
), judged AS (
	SELECT d.*, t.warning, t.critical,
		d.operations < l.io_evidence AND d.metric LIKE '%\_latency' AS too_few,
		CASE
			WHEN d.operations < l.io_evidence AND d.metric LIKE '%\_latency'
				THEN 'unknown'
			WHEN t.id IS NOT NULL
				THEN verdict(d.value, t.warning, t.critical, t.direction)
			WHEN d.value IS NULL THEN 'unknown'
			ELSE 'ok' END AS status
	FROM derived d CROSS JOIN l
	LEFT JOIN threshold t ON t.id = d.metric
)
SELECT j.metric, j.object, j.value, j.unit, j.warning, j.critical, j.status,
	j.used_bytes, j.total_bytes, j.window_s,
	CASE WHEN j.too_few THEN pg_catalog.format(
		'only %s in the last %s s: too few to judge', j.operations
			|| CASE WHEN j.metric LIKE '%read%' THEN ' reads' ELSE ' writes' END,
		pg_catalog.round(j.window_s::numeric))
		ELSE j.message END AS message,
	j.source
FROM judged j;
COMMENT ON VIEW host IS
'The machine and the container that the server runs on, one row per metric and device. Rates cover the last five minutes where glperf is in shared_preload_libraries (its worker keeps readings), else the time since this session asked before; the first time such a row is unknown, and SELECT * FROM glperf.host_metrics(1000) waits a second instead. What cannot be read is a row with status unknown and the reason. Source: guide, System Resource Optimization and Current Capacity; /proc, cgroup version 1 and 2, statvfs.';
COMMENT ON COLUMN host.metric IS 'What is measured; the id of its threshold where one exists: cpu, cpu_throttled, io_wait (share of the time with spikes), memory, oom_kills, storage, disk_read_latency, disk_write_latency, iops, disk_throughput, network. Others, not judged: io_wait_mean, load_1m, load_5m, load_15m, swap, disk_busy, disk_operations, disk_bytes, network_bytes (the busier direction).';
COMMENT ON COLUMN host.object IS 'machine, container (the server''s cgroup), a volume by its mount point, a disk or an interface.';
COMMENT ON COLUMN host.value IS 'What was measured, in unit; NULL: unknown, message says why.';
COMMENT ON COLUMN host.unit IS 'Unit of value, warning and critical.';
COMMENT ON COLUMN host.warning IS 'First limit; NULL: none.';
COMMENT ON COLUMN host.critical IS 'Second limit; NULL: none.';
COMMENT ON COLUMN host.status IS 'Verdict against the threshold of the same name; ok if it has none; unknown without a value, and for latencies of fewer than io_evidence operations.';
COMMENT ON COLUMN host.used_bytes IS 'Memory or space in use; NULL for other metrics.';
COMMENT ON COLUMN host.total_bytes IS 'Memory, limit or space there is; NULL for other metrics.';
COMMENT ON COLUMN host.window_s IS 'Seconds that the value covers; NULL: it is the state of now.';
COMMENT ON COLUMN host.message IS 'What was found, in words, or why nothing was.';
COMMENT ON COLUMN host.source IS 'Where the number comes from.';

CREATE VIEW health_host AS
SELECT 'host'::text AS area, h.object, t.id AS check_id, h.value, h.unit,
	h.warning, h.critical, h.status, h.message,
	CASE
		WHEN h.status = 'ok' THEN NULL
		WHEN h.message LIKE 'first sample%'
			THEN 'SELECT * FROM glperf.host_metrics(1000);'
		WHEN h.status = 'unknown' THEN
			CASE WHEN h.metric LIKE '%latency' AND h.window_s IS NOT NULL
				THEN NULL
				ELSE 'Give the server access to the file, or set glperf.host_root to where /proc and /sys are.' END
		ELSE r.remedy END AS remedy,
	t.guide_section
FROM host h
JOIN threshold t ON t.id = h.metric
LEFT JOIN (VALUES
	('cpu', 'SELECT * FROM glperf.slow_queries ORDER BY total_time_ms DESC; -- what the database does not use, other programs do'),
	('memory', 'Lower shared_buffers, work_mem or max_connections, or give the server more memory.'),
	('cpu_throttled', 'Raise the container''s limit on processors; the guide: twice the average use.'),
	('oom_kills', 'Lower work_mem or max_connections, or raise the memory limit (the guide: peak use and 30 %); on a machine of your own set vm.overcommit_memory = 2.'),
	('io_wait', 'SELECT * FROM glperf.slow_queries ORDER BY io_time_ms DESC NULLS LAST;'),
	('storage', 'Enlarge the volume, or SELECT * FROM glperf.index_usage WHERE drop_ddl IS NOT NULL;'),
	('iops', 'SELECT * FROM glperf.slow_queries ORDER BY io_time_ms DESC NULLS LAST; -- or provision more IOPS'),
	('disk_throughput', 'SELECT * FROM glperf.slow_queries ORDER BY io_time_ms DESC NULLS LAST; -- or provision more throughput'),
	('disk_read_latency', 'SELECT * FROM glperf.io_latency; -- and use SSD-backed storage'),
	('disk_write_latency', 'SELECT * FROM glperf.io_latency; SELECT * FROM glperf.wal; -- and use SSD-backed storage'),
	('network', 'Return fewer rows and columns, or move backups and replicas to a network of their own.'))
	r (metric, remedy) ON r.metric = h.metric;
COMMENT ON VIEW health_host IS
'Rows of glperf.health about the machine and the container: processors, memory, disks, space and network.';

REVOKE ALL ON FUNCTION host_metrics(int8, float8) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION host_metrics(int8, float8) TO pg_monitor;
GRANT SELECT ON host, health_host TO pg_monitor;

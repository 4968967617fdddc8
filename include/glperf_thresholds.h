/*
 * glperf_thresholds.h
 *		The limits of the tuning guide, one line each: the only place where a
 *		limit is written as a number.
 *
 * glperf.threshold is seeded from this list; views, dashboards and the
 * advisor read the table, so that an operator's edit is obeyed everywhere.
 * There is deliberately no include guard: define GLPERF_THRESHOLD, include
 * the file, undefine it.
 *
 * GLPERF_THRESHOLD(id, warning, critical, direction, unit, source,
 *					guide_section, description)
 *
 * warning, critical:	limits in the unit given; a value equal to the limit is
 *						still ok; GLPERF_NO_LIMIT where the guide has none
 * direction:			"above" - too much is bad; "below" - too little is bad
 * source:				who measures it: "postgres", "host", "external" (the
 *						application reports it)
 * guide_section:		where the guide says so; NULL where it is silent and
 *						the value is this project's default
 *
 * Where the guide gives one number it is the value shown, and the other one is
 * a default.
 */

/* Query and service latency */
GLPERF_THRESHOLD("slow_query_mean", 100, 500, "above", "ms", "postgres",
				 "Query Tuning",
				 "mean execution time of a statement; the guide calls it slow above 100 ms, and 500 ms is its p95 target")
GLPERF_THRESHOLD("latency_p95", 208, 500, "above", "ms", "postgres",
				 "Performance Targets",
				 "95th percentile of latency; warning at the guide's baseline, critical at its target")
GLPERF_THRESHOLD("latency_p99", 324, 1000, "above", "ms", "postgres",
				 "Current Performance Baseline",
				 "99th percentile of latency; warning at the guide's baseline")
GLPERF_THRESHOLD("throughput", 200, GLPERF_NO_LIMIT, "below", "req/s", "postgres",
				 "Performance Targets",
				 "requests completed per second")
GLPERF_THRESHOLD("error_rate", 0.1, 1, "above", "%", "postgres",
				 "Performance Targets",
				 "share of requests that fail; 0.1 % is what AsyncOrchestrator is validated at, 1 % the target")

/* Replication */
GLPERF_THRESHOLD("replication_lag", 10, 60, "above", "s", "postgres",
				 "Database Scaling",
				 "age of the data that a replica shows: 10 s normally, 60 s at peak load")

/* Connections */
GLPERF_THRESHOLD("pool_overflow", 0, 20, "above", "connections", "postgres",
				 "Connection Pool Tuning",
				 "connections above pool_size; critical at max_overflow")
GLPERF_THRESHOLD("pool_idle_share", 50, 75, "above", "%", "postgres",
				 "Connection Pool Tuning",
				 "idle share of a pool, which should be mostly active")
GLPERF_THRESHOLD("pool_wait", 5, 10, "above", "s", "postgres",
				 "Connection Pool Tuning",
				 "time a client waits for a connection; critical at pool_timeout")
GLPERF_THRESHOLD("connection_age", 1800, 3600, "above", "s", "postgres",
				 "Connection Pool Tuning",
				 "age of a connection; warning at pool_recycle")
GLPERF_THRESHOLD("connection_saturation", 70, 85, "above", "%", "postgres",
				 "Current Capacity",
				 "client connections as a share of those that clients may open")

/* Cache and disk, as the server sees them */
GLPERF_THRESHOLD("cache_hit", 90, 80, "below", "%", "postgres",
				 "Cache Configuration",
				 "share of block reads answered by shared buffers; the guide's target is above 80 %")
GLPERF_THRESHOLD("disk_read_latency", 5, 10, "above", "ms", "postgres",
				 "Disk I/O Optimization",
				 "mean time of one read")
GLPERF_THRESHOLD("disk_write_latency", 10, 20, "above", "ms", "postgres",
				 "Disk I/O Optimization",
				 "mean time of one write")

/* Host */
GLPERF_THRESHOLD("cpu", 70, 85, "above", "%", "host",
				 "Performance Targets",
				 "processor time in use")
GLPERF_THRESHOLD("memory", 75, 90, "above", "%", "host",
				 "Performance Targets",
				 "memory in use, as a share of the machine's or the container's limit")
GLPERF_THRESHOLD("cpu_throttled", 0, GLPERF_NO_LIMIT, "above", "events", "host",
				 "CPU Optimization",
				 "periods in which the container was throttled")
GLPERF_THRESHOLD("oom_kills", 0, GLPERF_NO_LIMIT, "above", "events", "host",
				 "Memory Optimization",
				 "processes killed for want of memory")
GLPERF_THRESHOLD("io_wait", 0, GLPERF_NO_LIMIT, "above", "%", "host",
				 "Disk I/O Optimization",
				 "share of the last minutes in which processors waited for the disk more than io_wait_spike; the guide wants no spikes")
GLPERF_THRESHOLD("storage", 70, 85, "above", "%", "host",
				 "Current Capacity",
				 "share of the data volume in use (500 GB in the guide)")
GLPERF_THRESHOLD("iops", 70, 90, "above", "%", "host",
				 "Current Capacity",
				 "share of the volume's I/O operations per second in use (3000 in the guide)")
GLPERF_THRESHOLD("disk_throughput", 70, 90, "above", "%", "host",
				 "Current Capacity",
				 "share of the volume's throughput in use (125 MB/s in the guide)")
GLPERF_THRESHOLD("network", 35, 70, "above", "%", "host",
				 "Current Capacity",
				 "share of the network's bandwidth in use (10 Gbps in the guide); warning at its peak")
GLPERF_THRESHOLD("iops_capacity", 3000, GLPERF_NO_LIMIT, "above", "per second", "host",
				 "Current Capacity",
				 "operations per second that the disk is good for; 100 % of iops")
GLPERF_THRESHOLD("disk_throughput_capacity", 125, GLPERF_NO_LIMIT, "above", "MB/s", "host",
				 "Current Capacity",
				 "bytes per second that the disk is good for, in millions; 100 % of disk_throughput")
GLPERF_THRESHOLD("network_capacity", 10, GLPERF_NO_LIMIT, "above", "Gbit/s", "host",
				 "Current Capacity",
				 "bandwidth of the network in each direction, unless the link is slower; 100 % of network")
GLPERF_THRESHOLD("uptime", 99.9, 99, "below", "%", "postgres",
				 "Performance Targets",
				 "share of the last thirty days in which the server was there")

/* What only the application can see */
GLPERF_THRESHOLD("redis_hit", 80, GLPERF_NO_LIMIT, "below", "%", "external",
				 "Cache Configuration",
				 "hit rate of the Redis cache")
GLPERF_THRESHOLD("agent_pack_hit", 95, GLPERF_NO_LIMIT, "below", "%", "external",
				 "Cache Configuration",
				 "hit rate of the cache of agent packs")
GLPERF_THRESHOLD("config_hit", 90, GLPERF_NO_LIMIT, "below", "%", "external",
				 "Cache Configuration",
				 "hit rate of the configuration cache")
GLPERF_THRESHOLD("llm_hit", 60, GLPERF_NO_LIMIT, "below", "%", "external",
				 "Cache Configuration",
				 "hit rate of the cache of LLM responses")
GLPERF_THRESHOLD("llm_requests", 60, GLPERF_NO_LIMIT, "above", "per minute", "external",
				 "LLM API Rate Limiting",
				 "requests to the LLM API")
GLPERF_THRESHOLD("llm_tokens", 90000, GLPERF_NO_LIMIT, "above", "per minute", "external",
				 "LLM API Rate Limiting",
				 "tokens sent to the LLM API")

/* Growth: the traffic that the guide's capacity plan reckons with */
GLPERF_THRESHOLD("traffic_3m", 400, GLPERF_NO_LIMIT, "above", "req/s", "postgres",
				 "Growth Projections",
				 "traffic forecast for 3 months from now")
GLPERF_THRESHOLD("traffic_6m", 800, GLPERF_NO_LIMIT, "above", "req/s", "postgres",
				 "Growth Projections",
				 "traffic forecast for 6 months from now")
GLPERF_THRESHOLD("traffic_12m", 1600, GLPERF_NO_LIMIT, "above", "req/s", "postgres",
				 "Growth Projections",
				 "traffic forecast for 12 months from now")

GLPERF_THRESHOLD("storage_capacity", 500, GLPERF_NO_LIMIT, "above", "GB", "postgres",
				 "Current Capacity",
				 "storage of the database, of 10^9 bytes each, that the guide has provisioned; its volume may be smaller")
GLPERF_THRESHOLD("storage_3m", 1000, GLPERF_NO_LIMIT, "above", "GB", "postgres",
				 "Growth Projections",
				 "size of all databases forecast for 3 months from now; the guide expands storage to 1 TB")
GLPERF_THRESHOLD("storage_6m", 2000, GLPERF_NO_LIMIT, "above", "GB", "postgres",
				 "Growth Projections",
				 "size of all databases forecast for 6 months from now; the guide expands storage to 2 TB")
GLPERF_THRESHOLD("storage_12m", 5000, GLPERF_NO_LIMIT, "above", "GB", "postgres",
				 "Growth Projections",
				 "size of all databases forecast for 12 months from now; the guide plans for 5 TB")

/* Defaults of this project, where the guide is silent */
GLPERF_THRESHOLD("capacity_days", 90, 30, "below", "days", "postgres",
				 NULL,
				 "days until storage or connections are used up at their present growth; the guide plans three months ahead")
GLPERF_THRESHOLD("capacity_evidence", 14, GLPERF_NO_LIMIT, "below", "days", "postgres",
				 NULL,
				 "days of history needed before growth is forecast")
GLPERF_THRESHOLD("capacity_window", 90, GLPERF_NO_LIMIT, "above", "days", "postgres",
				 NULL,
				 "days of history that growth is measured over; what is older does not count")
GLPERF_THRESHOLD("index_evidence", 35, GLPERF_NO_LIMIT, "below", "days", "postgres",
				 NULL,
				 "time over which an index must not have been scanned to be called unused; 35 days contain a month's end")
GLPERF_THRESHOLD("index_prefix_size", 10, GLPERF_NO_LIMIT, "above", "times", "postgres",
				 NULL,
				 "how much larger the wider index may be for a scanned index beside it to be offered for dropping")
GLPERF_THRESHOLD("index_bloat", 50, 80, "above", "%", "postgres",
				 NULL,
				 "share of a B-tree that REINDEX would give back; inserts in random order alone leave about a quarter")
GLPERF_THRESHOLD("index_bloat_size", 10, GLPERF_NO_LIMIT, "below", "MB", "postgres",
				 NULL,
				 "space that REINDEX has to give back before an index is called bloated")
GLPERF_THRESHOLD("index_selectivity", 10, GLPERF_NO_LIMIT, "above", "%", "postgres",
				 NULL,
				 "share of a table that the rarest key of an index finds, above which the index is called unselective; tables of more than seq_scan_rows rows")
GLPERF_THRESHOLD("fk_table_rows", 10000, 1000000, "above", "rows", "postgres",
				 NULL,
				 "rows of a referencing table whose foreign key has no index: each delete of a referenced row reads them all")
GLPERF_THRESHOLD("statement_io_share", 50, GLPERF_NO_LIMIT, "above", "%", "postgres",
				 NULL,
				 "share of a statement's time spent reading and writing blocks, above which it is called I/O bound")
GLPERF_THRESHOLD("statement_lock_share", 50, GLPERF_NO_LIMIT, "above", "%", "postgres",
				 NULL,
				 "share of the looks at a running statement in which it waited for a lock, above which that is called the reason")
GLPERF_THRESHOLD("wait_evidence", 10, GLPERF_NO_LIMIT, "below", "looks", "postgres",
				 NULL,
				 "looks at a running statement needed before it is told what it waits for")
GLPERF_THRESHOLD("statement_variation", 1, GLPERF_NO_LIMIT, "above", "ratio", "postgres",
				 NULL,
				 "standard deviation of a statement's time divided by its mean, above which its plan or its load is called unstable")
GLPERF_THRESHOLD("statement_rows", 10000, GLPERF_NO_LIMIT, "above", "rows", "postgres",
				 NULL,
				 "rows returned or changed per call, above which a statement is said to handle many rows")
GLPERF_THRESHOLD("statement_blocks", 1000, GLPERF_NO_LIMIT, "above", "blocks per row", "postgres",
				 NULL,
				 "blocks touched per row returned or changed, above which an index may be missing")
GLPERF_THRESHOLD("statement_plan_share", 50, GLPERF_NO_LIMIT, "above", "%", "postgres",
				 NULL,
				 "planning time as a share of planning and execution, above which preparing the statement helps")
GLPERF_THRESHOLD("cache_evidence", 50000, GLPERF_NO_LIMIT, "below", "blocks", "postgres",
				 NULL,
				 "block reads needed before a hit rate is judged; a database that reads fewer in five minutes has nothing to gain")
GLPERF_THRESHOLD("io_evidence", 100, GLPERF_NO_LIMIT, "below", "operations", "postgres",
				 NULL,
				 "timed reads or writes needed before their mean time is judged")
GLPERF_THRESHOLD("uptime_evidence", 1, GLPERF_NO_LIMIT, "below", "days", "postgres",
				 NULL,
				 "days of watching needed before the share of time in which the server was there is judged")
GLPERF_THRESHOLD("io_wait_spike", 20, GLPERF_NO_LIMIT, "above", "%", "host",
				 NULL,
				 "processor time spent waiting for the disk, above which some ten seconds are called a spike")
GLPERF_THRESHOLD("report_age", 300, 86400, "above", "s", "postgres",
				 NULL,
				 "age of a value that the application reported, above which it is unknown; above the critical limit it is forgotten")
GLPERF_THRESHOLD("replica_report", 172800, 2592000, "above", "s", "postgres",
				 NULL,
				 "age of what was reported about the use of indexes on another node, above which it counts for nothing, and the node as one that has not told; above the critical limit both are forgotten")
GLPERF_THRESHOLD("wraparound", 50, 75, "above", "%", "postgres",
				 NULL,
				 "age of the oldest transaction id as a share of the 2^31 at which the server refuses writes")
GLPERF_THRESHOLD("dead_rows", 20, 40, "above", "%", "postgres",
				 NULL,
				 "dead rows as a share of a table's rows; autovacuum's default starts at 20 %")
GLPERF_THRESHOLD("dead_rows_evidence", 10000, GLPERF_NO_LIMIT, "below", "rows", "postgres",
				 NULL,
				 "rows that a table needs before its share of dead rows is judged")
GLPERF_THRESHOLD("checkpoints_requested", 50, 90, "above", "%", "postgres",
				 NULL,
				 "checkpoints forced by the volume of WAL instead of the clock: max_wal_size is too small")
GLPERF_THRESHOLD("checkpoints_evidence", 10, GLPERF_NO_LIMIT, "below", "checkpoints", "postgres",
				 NULL,
				 "checkpoints needed before the share of requested ones is judged")
GLPERF_THRESHOLD("wal_rate", 40, GLPERF_NO_LIMIT, "above", "MB/s", "postgres",
				 NULL,
				 "write-ahead log written per second; about a third of what the guide's volume can write at all, and data files are written, too")
GLPERF_THRESHOLD("temp_rate", 5, 50, "above", "MB/s", "postgres",
				 NULL,
				 "temporary files written per second in a database: sorts and hashes that work_mem does not hold")
GLPERF_THRESHOLD("deadlocks", 0, 10, "above", "per hour", "postgres",
				 NULL,
				 "deadlocks that the server had to resolve in a database by failing a transaction")
GLPERF_THRESHOLD("checksum_failures", GLPERF_NO_LIMIT, 0, "above", "pages", "postgres",
				 NULL,
				 "damaged pages met in a database since its statistics were reset")
GLPERF_THRESHOLD("seq_scan_rows", 10000, GLPERF_NO_LIMIT, "above", "rows", "postgres",
				 NULL,
				 "rows read per sequential scan, above which a table is said to lack an index")
GLPERF_THRESHOLD("random_page_cost", 2, GLPERF_NO_LIMIT, "above", "ratio", "postgres",
				 "Disk I/O Optimization",
				 "random_page_cost divided by seq_page_cost; on the SSD that the guide asks for, both cost nearly the same")
GLPERF_THRESHOLD("xmin_age", 50000000, 200000000, "above", "transactions", "postgres",
				 NULL,
				 "age of the oldest snapshot that something keeps, below which vacuum cannot remove dead rows")

/* Advice: how glperf-advisor applies and verifies */
GLPERF_THRESHOLD("statement_change", 10, 25, "above", "%", "postgres",
				 NULL,
				 "change of a statement's mean time after a recommendation was applied: a gain above the first limit, a loss above the second")
GLPERF_THRESHOLD("verify_calls", 20, GLPERF_NO_LIMIT, "below", "calls", "postgres",
				 NULL,
				 "calls of a statement needed before and after a recommendation was applied to judge it")
GLPERF_THRESHOLD("dismissed_growth", 2, GLPERF_NO_LIMIT, "above", "times", "postgres",
				 NULL,
				 "factor by which the benefit of a dismissed recommendation has to grow for it to be proposed again")
GLPERF_THRESHOLD("build_space", 2, GLPERF_NO_LIMIT, "above", "times", "postgres",
				 NULL,
				 "free space that building an index needs, as a multiple of its expected size")
GLPERF_THRESHOLD("build_wait", 60, 600, "above", "s", "postgres",
				 NULL,
				 "age of an open transaction that building an index would have to wait for: worth a warning above the first limit; above the second the build is not begun")

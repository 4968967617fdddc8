/*
 * glperf_recommendation.h
 *		Columns that the advisor reads from the extension, in order.
 *
 * X-macro lists without an include guard on purpose: the advisor makes its
 * structs, its SELECT lists and its loaders from them, and a test compares
 * them with the functions' declarations.  A column is added at the end with a
 * step of GLPERF_API_MINOR; anything else is a step of GLPERF_API_MAJOR.
 *
 * GLPERF_xxx_COLUMN(name, kind) where kind is one of
 *
 *	INT		int4 or int8
 *	REAL	float8; never NaN, so that NaN can stand for NULL
 *	BOOL	bool
 *	TEXT	text
 *	TEXTS	text[] or int8[]; an empty list stands for NULL
 *
 * Define only the lists that are wanted before the include; the file
 * undefines them at its end.
 */

/* glperf.advise_indexes(): one row per recommendation */
#ifdef GLPERF_RECOMMENDATION_COLUMN
GLPERF_RECOMMENDATION_COLUMN(rank, INT) /* 1 = do this first */
GLPERF_RECOMMENDATION_COLUMN(action, TEXT)		/* create, drop, analyze, ... */
GLPERF_RECOMMENDATION_COLUMN(schema_name, TEXT)
GLPERF_RECOMMENDATION_COLUMN(table_name, TEXT)
GLPERF_RECOMMENDATION_COLUMN(index_name, TEXT)
GLPERF_RECOMMENDATION_COLUMN(ddl, TEXT)		/* all steps, joined by ";\n" */
GLPERF_RECOMMENDATION_COLUMN(steps, TEXTS)		/* each outside a transaction */
GLPERF_RECOMMENDATION_COLUMN(undo_ddl, TEXT)
GLPERF_RECOMMENDATION_COLUMN(size_bytes, INT)		/* estimated */
GLPERF_RECOMMENDATION_COLUMN(benefit_ms_per_day, REAL)
GLPERF_RECOMMENDATION_COLUMN(write_cost_ms_per_day, REAL)
GLPERF_RECOMMENDATION_COLUMN(wal_bytes_per_day, REAL)
GLPERF_RECOMMENDATION_COLUMN(benefit_pct, REAL)		/* of the workload's time */
GLPERF_RECOMMENDATION_COLUMN(statements_helped, INT)
GLPERF_RECOMMENDATION_COLUMN(statements_hurt, INT)
GLPERF_RECOMMENDATION_COLUMN(queryids, TEXTS)
GLPERF_RECOMMENDATION_COLUMN(confidence, TEXT)		/* high, medium, low */
GLPERF_RECOMMENDATION_COLUMN(reasons, TEXTS)
GLPERF_RECOMMENDATION_COLUMN(loss_without_ms_per_day, REAL)		/* if left out */
#undef GLPERF_RECOMMENDATION_COLUMN
#endif

/* glperf.advised_statements(): one row per statement of the last run */
#ifdef GLPERF_STATEMENT_COLUMN
GLPERF_STATEMENT_COLUMN(queryid, TEXT)
GLPERF_STATEMENT_COLUMN(role, TEXT)
GLPERF_STATEMENT_COLUMN(query, TEXT)
GLPERF_STATEMENT_COLUMN(calls, INT)
GLPERF_STATEMENT_COLUMN(time_ms_per_day, REAL)
GLPERF_STATEMENT_COLUMN(outcome, TEXT)		/* advised, no gain, not
											 * analysable */
GLPERF_STATEMENT_COLUMN(reason, TEXT)
GLPERF_STATEMENT_COLUMN(cost_before, REAL)
GLPERF_STATEMENT_COLUMN(cost_after, REAL)
GLPERF_STATEMENT_COLUMN(speedup_ratio, REAL)
GLPERF_STATEMENT_COLUMN(indexes, TEXTS)
GLPERF_STATEMENT_COLUMN(samples, INT)		/* 0: planned from its text */
#undef GLPERF_STATEMENT_COLUMN
#endif

/* glperf.advice_summary(): one row about the last run */
#ifdef GLPERF_SUMMARY_COLUMN
GLPERF_SUMMARY_COLUMN(statements, INT)
GLPERF_SUMMARY_COLUMN(advised, INT)
GLPERF_SUMMARY_COLUMN(no_gain, INT)
GLPERF_SUMMARY_COLUMN(not_analysable, INT)
GLPERF_SUMMARY_COLUMN(candidates, INT)
GLPERF_SUMMARY_COLUMN(planner_calls, INT)
GLPERF_SUMMARY_COLUMN(elapsed_ms, REAL)
GLPERF_SUMMARY_COLUMN(workload_ms_per_day, REAL)
GLPERF_SUMMARY_COLUMN(gain_ms_per_day, REAL)		/* write cost taken off */
GLPERF_SUMMARY_COLUMN(upper_bound_pct, REAL)		/* no index set gains more */
GLPERF_SUMMARY_COLUMN(captured_pct, REAL)		/* of that bound */
GLPERF_SUMMARY_COLUMN(budget_bytes, INT)		/* NULL: unlimited */
GLPERF_SUMMARY_COLUMN(used_bytes, INT)
GLPERF_SUMMARY_COLUMN(complete, BOOL)		/* false: the time limit was hit */
GLPERF_SUMMARY_COLUMN(sampled_pages, INT)		/* table blocks read for sizes */
#undef GLPERF_SUMMARY_COLUMN
#endif

/*
 * glperf.advice_plans(): one row per scan that a recommendation changes; rank
 * says which one.
 */
#ifdef GLPERF_PLAN_COLUMN
GLPERF_PLAN_COLUMN(queryid, TEXT)
GLPERF_PLAN_COLUMN(role, TEXT)
GLPERF_PLAN_COLUMN(query, TEXT)		/* as some have queryid 0 */
GLPERF_PLAN_COLUMN(sample, INT)		/* way of running the statement, from 1 */
GLPERF_PLAN_COLUMN(table_name, TEXT)
GLPERF_PLAN_COLUMN(alias, TEXT)
GLPERF_PLAN_COLUMN(node_before, TEXT)		/* NULL: that plan had none */
GLPERF_PLAN_COLUMN(node_after, TEXT)
GLPERF_PLAN_COLUMN(node_cost_before, REAL)
GLPERF_PLAN_COLUMN(node_cost_after, REAL)
GLPERF_PLAN_COLUMN(cost_before, REAL)		/* of the whole statement */
GLPERF_PLAN_COLUMN(cost_after, REAL)
#undef GLPERF_PLAN_COLUMN
#endif

/* glperf.advice_rivals(): what lost to a recommendation; rank says which */
#ifdef GLPERF_RIVAL_COLUMN
GLPERF_RIVAL_COLUMN(rival, TEXT)		/* table (columns) */
GLPERF_RIVAL_COLUMN(rival_size_bytes, INT)
GLPERF_RIVAL_COLUMN(rival_benefit_ms_per_day, REAL)
GLPERF_RIVAL_COLUMN(rival_write_cost_ms_per_day, REAL)
GLPERF_RIVAL_COLUMN(reason, TEXT)
#undef GLPERF_RIVAL_COLUMN
#endif

/* glperf.advice_not_examined(): one row per thing that was not looked at */
#ifdef GLPERF_NOT_EXAMINED_COLUMN
GLPERF_NOT_EXAMINED_COLUMN(kind, TEXT)		/* statement, table, candidate,
											 * statistics, search */
GLPERF_NOT_EXAMINED_COLUMN(object, TEXT)
GLPERF_NOT_EXAMINED_COLUMN(count, INT)
GLPERF_NOT_EXAMINED_COLUMN(time_ms_per_day, REAL)
GLPERF_NOT_EXAMINED_COLUMN(reason, TEXT)
#undef GLPERF_NOT_EXAMINED_COLUMN
#endif

/* glperf.index_usage: what the report says about existing indexes */
#ifdef GLPERF_INDEX_NOTE_COLUMN
GLPERF_INDEX_NOTE_COLUMN(schema_name, TEXT)
GLPERF_INDEX_NOTE_COLUMN(table_name, TEXT)
GLPERF_INDEX_NOTE_COLUMN(index_name, TEXT)
GLPERF_INDEX_NOTE_COLUMN(size_bytes, INT)
GLPERF_INDEX_NOTE_COLUMN(verdict, TEXT)
GLPERF_INDEX_NOTE_COLUMN(reason, TEXT)
GLPERF_INDEX_NOTE_COLUMN(covered_by, TEXT)
GLPERF_INDEX_NOTE_COLUMN(drop_ddl, TEXT)
GLPERF_INDEX_NOTE_COLUMN(undo_ddl, TEXT)
#undef GLPERF_INDEX_NOTE_COLUMN
#endif

/* glperf.verify_recommendations(): one row per recommendation applied */
#ifdef GLPERF_VERDICT_COLUMN
GLPERF_VERDICT_COLUMN(name, TEXT)
GLPERF_VERDICT_COLUMN(old_state, TEXT)		/* as in glperf.recommendation */
GLPERF_VERDICT_COLUMN(state, TEXT)
GLPERF_VERDICT_COLUMN(verdict, TEXT)		/* unknown leaves the state as it
											 * was */
GLPERF_VERDICT_COLUMN(message, TEXT)
GLPERF_VERDICT_COLUMN(undo_ddl, TEXT)		/* NULL unless it is advised */
GLPERF_VERDICT_COLUMN(mean_before_ms, REAL)
GLPERF_VERDICT_COLUMN(mean_after_ms, REAL)
GLPERF_VERDICT_COLUMN(saved_ms_per_day, REAL)
GLPERF_VERDICT_COLUMN(index_scans, INT)
GLPERF_VERDICT_COLUMN(hot_before_pct, REAL)
GLPERF_VERDICT_COLUMN(hot_after_pct, REAL)
GLPERF_VERDICT_COLUMN(applied_at, TEXT)
#undef GLPERF_VERDICT_COLUMN
#endif

/* glperf.recommendation_match(): what is known of one that was just made */
#ifdef GLPERF_MATCH_COLUMN
GLPERF_MATCH_COLUMN(name, TEXT)
GLPERF_MATCH_COLUMN(state, TEXT)
GLPERF_MATCH_COLUMN(first_seen_at, TEXT)		/* NULL: just now */
GLPERF_MATCH_COLUMN(is_new, BOOL)
GLPERF_MATCH_COLUMN(is_suppressed, BOOL)		/* dismissed, or tried in vain */
GLPERF_MATCH_COLUMN(note, TEXT)
#undef GLPERF_MATCH_COLUMN
#endif

/* glperf.recommendations_gone(): what is no longer proposed */
#ifdef GLPERF_GONE_COLUMN
GLPERF_GONE_COLUMN(name, TEXT)
GLPERF_GONE_COLUMN(ddl, TEXT)
GLPERF_GONE_COLUMN(is_in_place, BOOL)		/* somebody has carried it out */
#undef GLPERF_GONE_COLUMN
#endif

/* glperf.apply_preflight(): one row per thing looked at */
#ifdef GLPERF_PREFLIGHT_COLUMN
GLPERF_PREFLIGHT_COLUMN(check_id, TEXT)
GLPERF_PREFLIGHT_COLUMN(status, TEXT)		/* ok, warning, refuse, unknown */
GLPERF_PREFLIGHT_COLUMN(message, TEXT)
#undef GLPERF_PREFLIGHT_COLUMN
#endif

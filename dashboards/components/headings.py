"""Headings of the tables, by the columns of the analyses."""

ACTIVITY_TIMES = {
    "activity": "Activity",
    "instances": "Instances",
    "median_waiting": "Waiting, median",
    "p95_waiting": "Waiting, P95",
    "median_service": "Service, median",
    "p95_service": "Service, P95",
    "median_sojourn": "Sojourn, median",
    "total_service": "Service in all",
    "median_queue": "Queue, median",
    "timed_instances": "With known start",
}
RESOURCE_TIMES = {
    "resource": "Resource",
    "resource_kind": "Kind",
    "instances": "Instances",
    "cases": "Cases",
    "median_service": "Service, median",
    "mean_service": "Service, mean",
    "failed_instances": "Failed instances",
}
HANDOVERS = {
    "resource": "From",
    "next_resource": "To",
    "frequency": "Frequency",
    "cases": "Cases",
    "median": "Time between, median",
}
ACTIVITY_WAITS = {
    "activity": "Activity",
    "total_waiting": "Waiting in all",
    "median": "Median",
    "share_of_cycle_time": "Share of cycle time",
    "frequency": "Times",
    "cases": "Cases",
}
HANDOVER_WAITS = {"previous_activity": "From", **ACTIVITY_WAITS, "activity": "To"}
FAILURES = {
    "activity": "Activity",
    "attempts": "Attempts",
    "failed_attempts": "Failed attempts",
    "failure_rate": "Failure rate",
    "retries": "Retries",
    "episodes": "Failure episodes",
    "recovered": "Recovered",
    "median_recovery": "Recovery, median",
    "mean_recovery": "Recovery, mean",
    "top_error": "Most frequent error",
}
ERRORS = {
    "activity": "Activity",
    "error_type": "Error",
    "failed_attempts": "Failed attempts",
    "cases": "Cases",
}
REWORK = {
    "activity": "Activity",
    "instances": "Instances",
    "rework_instances": "Rework instances",
    "rework_rate_of_instances": "of instances",
    "cases": "Cases",
    "rework_cases": "Cases with rework",
    "rework_rate_of_cases": "of cases",
    "self_loops": "Self-loops",
    "loops": "Loops",
    "self_loops_by_others": "Self-loops by others",
    "retries": "Retries beside",
}
VARIANTS = {
    "variant": "#",
    "cases": "Cases",
    "share": "Share",
    "cumulative_share": "Together",
    "median_cycle_time": "Median cycle time",
    "open_cases": "Open",
    "activities": "Way",
}
CASES = {
    "case_id": "Case",
    "status": "Status",
    "started_at": "Started (UTC)",
    "completed_at": "Last event (UTC)",
    "cycle_time": "Cycle time",
    "events": "Events",
    "instances": "Instances",
    "failed_attempts": "Failed",
    "retries": "Retries",
    "rework": "Rework",
    "interventions": "Interventions",
    "process_version": "Version",
    "last_activity": "Last activity",
}
TIMELINE = {
    "number": "#",
    "activity": "Activity",
    "status": "Status",
    "attempt": "Attempt",
    "retry": "Retry",
    "intervention": "Intervention",
    "rework": "Rework",
    "scheduled_at": "Scheduled",
    "started_at": "Started",
    "completed_at": "Completed",
    "waiting": "Waiting",
    "service": "Service",
    "resource": "Resource",
    "resource_kind": "Kind",
    "error_type": "Error",
}
EVENTS = {
    "timestamp": "Time (UTC)",
    "activity": "Activity",
    "lifecycle": "Transition",
    "resource": "Resource",
    "resource_kind": "Kind",
    "attempt": "Attempt",
    "error_type": "Error",
    "error_message": "Message",
    "process_version": "Version",
    "attributes": "Attributes",
    "event_id": "Event",
    "source": "Source",
    "load_id": "Load",
}
QUALITY = {
    "finding": "Finding",
    "count": "Count",
    "of": "Of",
    "share": "Share",
    "touches": "Touches",
}
LOADS = {
    "load_id": "Load",
    "started_at": "When (UTC)",
    "source": "Source",
    "origin": "From",
    "finished": "Finished",
    "read": "Read",
    "new": "New",
    "duplicate": "Duplicate",
    "corrected": "Corrected",
    "unchanged": "Unchanged",
    "rejected": "Rejected",
    "cases": "Cases",
}
REJECTED = {"reason": "Reason", "record": "Record", "load_id": "Load"}
FOUND_DEVIATIONS = {
    "activity": "Activity",
    "kind": "Deviation",
    "cases": "Cases",
    "events": "Times",
    "median_added": "Time it took, median",
}
HELD_VERSIONS = {
    "version": "Version",
    "cases": "Cases",
    "conforming_cases": "Conforming",
    "total_cost": "Deviating moves",
    "fitness": "Fitness",
    "log_fitness": "Log fitness",
}
MATRIX = {
    "version": "Version",
    "activity": "Activity",
    "kind": "Deviation",
    "cases": "Cases",
    "share": "Share of its cases",
    "first_seen": "First seen (UTC)",
    "last_seen": "Last seen (UTC)",
}
DEVIATIONS = {
    "case_id": "Case",
    "sentence": "What deviates",
    "kind": "Kind",
    "timestamp": "When (UTC)",
    "resource": "Resource",
    "version": "Version",
    "allowed": "Accepted",
}
MOVES = {
    "number": "#",
    "activity": "Activity",
    "move": "Move",
    "kind": "Deviation",
    "timestamp": "When (UTC)",
    "resource": "Resource",
}
CAUSES = {
    "attribute": "Attribute",
    "value": "Value",
    "cases": "Cases",
    "deviating_cases": "Deviating",
    "deviation_rate": "Rate",
    "lift": "Lift",
    "interval": "95 % interval",
    "adjusted_p_value": "Adjusted p",
}
ALLOWANCES = {
    "allowance_id": "#",
    "in_force": "In force",
    "kind": "Deviation",
    "activity": "Activity",
    "expires_at": "Until (UTC)",
    "reason": "Reason",
    "owner": "Owner",
    "approver": "Approver",
    "version": "Version",
    "attribute": "Attribute",
    "attribute_value": "Its value",
    "rule": "Rule",
    "withdrawn_at": "Withdrawn (UTC)",
}
RULES = {
    "rule": "Rule",
    "text": "What it asks",
    "severity": "Severity",
    "cases": "Cases",
    "judged_cases": "Judged",
    "violating_cases": "Breaking it",
    "violation_rate": "Rate",
    "pending": "Pending",
    "not_judged": "Not judged",
}
VIOLATIONS = {
    "case_id": "Case",
    "sentence": "What deviates",
    "timestamp": "When (UTC)",
    "resource": "Resource",
    "version": "Version",
}

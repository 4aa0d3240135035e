"""The keys, groups and owners by which assets are known in the UI."""

from typing import Final

import dagster as dg

OWNERS: Final = ["team:data-platform"]
WAREHOUSE_POOL: Final = "warehouse"
# Promotions are made one at a time.
TRAINING_POOL: Final = "training"
# Lists may take minutes. They wait for no training, and no micro-batch waits for them.
LISTS_POOL: Final = "lists"

RAW_EVENTS: Final = dg.AssetKey(["raw", "events"])
REFERENCE: Final = dg.AssetKey(["reference", "statistics"])
REPROCESSED: Final = dg.AssetKey(["reprocessed", "events"])
CLEAN_EVENTS: Final = dg.AssetKey(["clean", "events"])
QUARANTINED_EVENTS: Final = dg.AssetKey(["quarantine", "events"])
INTERACTIONS: Final = dg.AssetKey(["interaction", "interactions"])
SESSIONS: Final = dg.AssetKey(["interaction", "sessions"])
USERS: Final = dg.AssetKey(["interaction", "users"])
ITEMS: Final = dg.AssetKey(["interaction", "items"])
USER_PREFERENCES: Final = dg.AssetKey(["interaction", "user_preferences"])
USER_FEEDBACK: Final = dg.AssetKey(["feedback", "user_feedback"])
FEEDBACK_SCORES: Final = dg.AssetKey(["feedback", "feedback_scores"])
USER_FEATURES: Final = dg.AssetKey(["features", "user_features"])
RECOMMENDER: Final = dg.AssetKey(["models", "recommender"])
SEGMENTATION: Final = dg.AssetKey(["models", "segments"])
LISTS: Final = dg.AssetKey(["models", "lists"])
RECOMMENDATIONS: Final = dg.AssetKey(["ml", "recommendations"])
USER_SEGMENTS: Final = dg.AssetKey(["ml", "user_segments"])
SEGMENT_PROFILES: Final = dg.AssetKey(["ml", "segment_profiles"])
MODEL_VERSIONS: Final = dg.AssetKey(["ml", "model_versions"])
DRIFT_EVENTS: Final = dg.AssetKey(["metrics", "drift_events"])
ADJUSTMENTS: Final = dg.AssetKey(["metrics", "adjustments"])
EXPERIMENTS: Final = dg.AssetKey(["metrics", "experiments"])
EXPERIMENT_RESULTS: Final = dg.AssetKey(["metrics", "experiment_results"])
EXPERIMENT_LOOKS: Final = dg.AssetKey(["metrics", "experiment_looks"])
ENGAGEMENT_DAYS: Final = dg.AssetKey(["metrics", "engagement_days"])
ENGAGEMENT_DAILY: Final = dg.AssetKey(["metrics", "engagement_daily"])
ERASURES: Final = dg.AssetKey(["privacy", "erasures"])
ERASURE_REPORTS: Final = dg.AssetKey(["privacy", "erasure_reports"])
PUBLISHED: Final = dg.AssetKey(["published", "feedback"])

# Groups, numbered so that the UI lists them in the order of the loop.
COLLECT: Final = "1_collect"
CLEAN: Final = "2_clean"
LAYER_GROUPS: Final = {
    "interaction": "3_interaction",
    "feedback": "4_feedback",
    "features": "5_features",
    "metrics": "7_measure",
}
LEARN: Final = "6_learn"
MEASURE: Final = "7_measure"
PUBLISH: Final = "8_publish"
ERASE: Final = "9_erase"

"""The evidence pack: one file with everything an auditor's question was answered from."""

package cli

import "context"

func replayCommand() *command {
	return &command{
		name:    "replay",
		summary: "apply binlog files to a target, then exit",
		about: "Applies every change in the files' log order to the target, one target transaction per group of source transactions, and records the position in the same transaction. The same command again goes on where the last one stopped: nothing is lost and nothing is applied twice.\n\n" +
			"Without a configuration file, flags are enough. Missing target tables are made. The pipeline's own state lives in the state directory; the target alone decides how far it is. With a server as the source, what its log holds now is applied, from --from where there is no checkpoint.",
		example: "rowferry replay --files '/backup/mysql-bin.*' --target sqlite:shop.db",
		options: []*option{
			filesOption, sourceOption, targetOption, stateOption, nameOption, fromOption, untilOption,
			schemaOption, tablesOption, triggersOption, matchOption, memoryOption, serverIDOption, patienceOption, acceptOption, maxRowsOption,
		},
		run: replay,
	}
}

func replay(ctx context.Context, in *invocation) error {
	s, err := in.settings()
	if err == nil {
		err = s.need("files", "target")
	}
	if err != nil {
		return err
	}
	if err := s.needLog("replay"); err != nil {
		return err
	}
	s.once = true
	return carry(ctx, in, s, s.modeOf("replay", 0))
}

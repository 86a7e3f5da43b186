package rowferry

import "slices"

// Code is an error's stable name, RF-nnnn. Codes are never reused.
//
// 1xxx configuration and usage · 2xxx sources · 3xxx targets · 4xxx state,
// checkpoint and delivery · 5xxx keys and references · 9xxx the program itself.
type Code string

// The codes.
const (
	CodeUnknownKey      Code = "RF-1001"
	CodeWrongType       Code = "RF-1002"
	CodeMissingKey      Code = "RF-1003"
	CodeBadValue        Code = "RF-1004"
	CodeBadSyntax       Code = "RF-1005"
	CodeUsage           Code = "RF-1006"
	CodeBadPosition     Code = "RF-1007"
	CodeZonelessTime    Code = "RF-1008"
	CodeFromConflict    Code = "RF-1009"
	CodeConfigChanged   Code = "RF-1010"
	CodeConfigFile      Code = "RF-1011"
	CodeSeveralErrors   Code = "RF-1012"
	CodeBadTLS          Code = "RF-1013"
	CodeBadSecret       Code = "RF-1014"
	CodeNoStart         Code = "RF-1015"
	CodeBadExpression   Code = "RF-1016"
	CodeRuleRefused     Code = "RF-1017"
	CodePartial         Code = "RF-1018"
	CodeRecopyRefused   Code = "RF-1019"
	CodeNotABinlog      Code = "RF-2001"
	CodeCorruptLog      Code = "RF-2002"
	CodeTruncatedLog    Code = "RF-2003"
	CodeLogMissing      Code = "RF-2004"
	CodePositionOutside Code = "RF-2005"
	CodeStatementLog    Code = "RF-2006"
	CodeUnknownEvent    Code = "RF-2007"
	CodeEncryptedLog    Code = "RF-2008"
	CodeXA              Code = "RF-2009"
	CodePartialJSON     Code = "RF-2010"
	CodeShapeUnknown    Code = "RF-2011"
	CodeShapeMismatch   Code = "RF-2012"
	CodeTypeRefused     Code = "RF-2013"
	CodeMixedGTID       Code = "RF-2014"
	CodeLineageBroken   Code = "RF-2015"
	CodeIncident        Code = "RF-2016"
	CodeUntilNotFound   Code = "RF-2017"
	CodeBadStatement    Code = "RF-2018"
	CodeBadDump         Code = "RF-2019"
	CodeLogUnreadable   Code = "RF-2020"
	CodeCascades        Code = "RF-2021"
	CodeEventTooLarge   Code = "RF-2022"
	CodeBadText         Code = "RF-2023"
	CodeSourceAway      Code = "RF-2024"
	CodeSourceDenied    Code = "RF-2025"
	CodeSourceUnfit     Code = "RF-2026"
	CodeServerIDTaken   Code = "RF-2027"
	CodeSlotMissing     Code = "RF-2028"
	CodeSlotLost        Code = "RF-2029"
	CodeSlotTaken       Code = "RF-2030"
	CodeSlotAhead       Code = "RF-2031"
	CodePublication     Code = "RF-2032"
	CodeReplicaIdentity Code = "RF-2033"
	CodeCopyRefused     Code = "RF-2034"
	CodeCSVFile         Code = "RF-2035"
	CodeCSVSyntax       Code = "RF-2036"
	CodeCSVHeader       Code = "RF-2037"
	CodeCSVFields       Code = "RF-2038"
	CodeCSVValue        Code = "RF-2039"
	CodeCSVText         Code = "RF-2040"
	CodeCSVTooLong      Code = "RF-2041"
	CodeCSVChanged      Code = "RF-2042"
	CodeImageLacks      Code = "RF-2043"
	CodeTarget          Code = "RF-3001"
	CodeRowRefused      Code = "RF-3002"
	CodeShapeChanged    Code = "RF-3003"
	CodeTableDiffers    Code = "RF-3004"
	CodeRowMissing      Code = "RF-3005"
	CodeForeignRow      Code = "RF-3006"
	CodeOutOfRange      Code = "RF-3007"
	CodeTargetFull      Code = "RF-3008"
	CodeTriggers        Code = "RF-3009"
	CodeNameCollision   Code = "RF-3010"
	CodeTargetBusy      Code = "RF-3011"
	CodeAbsentColumn    Code = "RF-3012"
	CodeTargetHeld      Code = "RF-3013"
	CodeTargetAway      Code = "RF-3014"
	CodeTargetDenied    Code = "RF-3015"
	CodeTargetConflict  Code = "RF-3016"
	CodeTargetReadOnly  Code = "RF-3017"
	CodeTargetUnfit     Code = "RF-3018"
	CodeNameRefused     Code = "RF-3019"
	CodeRowDiffers      Code = "RF-3020"
	CodeNotComputed     Code = "RF-3021"
	CodeStateUnwritable Code = "RF-4001"
	CodeStateNewer      Code = "RF-4002"
	CodeStateLocked     Code = "RF-4003"
	CodeFenced          Code = "RF-4004"
	CodeStateNeeded     Code = "RF-4005"
	CodeTargetLost      Code = "RF-4006"
	CodeTargetOccupied  Code = "RF-4007"
	CodeStateCorrupt    Code = "RF-4008"
	CodeStateOpen       Code = "RF-4009"
	CodeNoCheckpoint    Code = "RF-4010"
	CodeCheckpointNew   Code = "RF-4011"
	CodeStateFull       Code = "RF-4012"
	CodeBadImport       Code = "RF-4013"
	CodeStateForeign    Code = "RF-4014"
	CodeNoEngine        Code = "RF-4015"
	CodeUnsettled       Code = "RF-4016"
	CodeStateOlder      Code = "RF-4017"
	CodeKeyRefused      Code = "RF-5001"
	CodeKeyReserve      Code = "RF-5002"
	CodeKeyUnmapped     Code = "RF-5003"
	CodeKeyMapped       Code = "RF-5004"
	CodeParentMissing   Code = "RF-5005"
	CodeWaitCycle       Code = "RF-5006"
	CodeWaitFull        Code = "RF-5007"
	CodeMappedTruncate  Code = "RF-5008"
	CodeNotesLarge      Code = "RF-5009"
	CodeNoKeys          Code = "RF-5010"
	CodeEntityUnseen    Code = "RF-5011"
	CodeKeyText         Code = "RF-5012"
	CodeLeadCrosses     Code = "RF-5013"
	CodeRejectsFull     Code = "RF-5020"
	CodeRejectUnknown   Code = "RF-5021"
	CodeRejectsLeft     Code = "RF-5022"
	CodeRejected        Code = "RF-5023"
	CodeCopyAside       Code = "RF-5024"
	CodeNotOwned        Code = "RF-5030"
	CodeRowsUntold      Code = "RF-5031"
	CodeRemoving        Code = "RF-5032"
	CodeRowReferred     Code = "RF-5033"
	CodeRowCircle       Code = "RF-5034"
	CodeMatchAmbiguous  Code = "RF-5040"
	CodeMatchTaken      Code = "RF-5041"
	CodeMatchUnknown    Code = "RF-5042"
	CodeHandlerFailed   Code = "RF-5050"
	CodeHandlerAnswer   Code = "RF-5051"
	CodeHandlerRefused  Code = "RF-5052"
	CodeWouldReject     Code = "RF-5060"
	CodeDryRun          Code = "RF-5061"
	CodeMapFile         Code = "RF-5062"
	CodeMapConflict     Code = "RF-5063"
	CodeInterrupted     Code = "RF-9001"
	CodeInternal        Code = "RF-9002"
)

// Transient reports whether an error of this code can pass by itself, so that
// waiting and trying again helps.
func (c Code) Transient() bool {
	switch c {
	case CodeSourceAway, CodeTargetAway, CodeTargetConflict, CodeTargetReadOnly, CodeTargetBusy, CodeTargetFull:
		return true
	default:
		return false
	}
}

// CodeInfo explains a code.
type CodeInfo struct {
	Code     Code
	Class    Class
	Title    string
	Meaning  string
	Unharmed string   // what the error did not harm
	Remedies []Remedy // what to do where the error itself names nothing better
}

// Explain returns what is known of a code.
func Explain(c Code) (CodeInfo, bool) {
	i := slices.IndexFunc(catalogue, func(x CodeInfo) bool { return x.Code == c })
	if i < 0 {
		return CodeInfo{}, false
	}
	return catalogue[i], true
}

// Codes returns the whole catalogue in order of code.
func Codes() []CodeInfo { return slices.Clone(catalogue) }

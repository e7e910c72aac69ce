namespace Layerbox.Rpm;

/// <summary>What an entry of a header is about: the tags that this room reads, by rpm's numbers (rpmtag.h).</summary>
public enum RpmTag
{
    HeaderSignatures = 62,
    HeaderImmutable = 63,
    HeaderI18nTable = 100,
    DsaHeader = 267,
    RsaHeader = 268,
    Sha1Header = 269,
    LongSignatureSize = 270,
    LongArchiveSize = 271,
    Sha256Header = 273,
    OpenPgp = 278,
    Name = 1000,
    Version = 1001,
    Release = 1002,
    Epoch = 1003,
    Summary = 1004,
    Description = 1005,
    BuildTime = 1006,
    BuildHost = 1007,
    Size = 1009,
    Distribution = 1010,
    Vendor = 1011,
    License = 1014,
    Packager = 1015,
    Group = 1016,
    Url = 1020,
    Os = 1021,
    Arch = 1022,
    PreIn = 1023,
    PostIn = 1024,
    PreUn = 1025,
    PostUn = 1026,
    OldFileNames = 1027,
    FileSizes = 1028,
    FileModes = 1030,
    FileRdevs = 1033,
    FileMtimes = 1034,
    FileDigests = 1035,
    FileLinkTos = 1036,
    FileFlags = 1037,
    FileUserName = 1039,
    FileGroupName = 1040,
    SourceRpm = 1044,
    FileVerifyFlags = 1045,
    ArchiveSize = 1046,
    ProvideName = 1047,
    RequireFlags = 1048,
    RequireName = 1049,
    RequireVersion = 1050,
    ConflictFlags = 1053,
    ConflictName = 1054,
    ConflictVersion = 1055,
    TriggerScripts = 1065,
    TriggerName = 1066,
    TriggerVersion = 1067,
    TriggerFlags = 1068,
    TriggerIndex = 1069,
    VerifyScript = 1079,
    PreInProg = 1085,
    PostInProg = 1086,
    PreUnProg = 1087,
    PostUnProg = 1088,
    ObsoleteName = 1090,
    VerifyScriptProg = 1091,
    TriggerScriptProg = 1092,
    FileDevices = 1095,
    FileInodes = 1096,
    FileLangs = 1097,
    SourcePackage = 1106,
    ProvideFlags = 1112,
    ProvideVersion = 1113,
    ObsoleteFlags = 1114,
    ObsoleteVersion = 1115,
    DirIndexes = 1116,
    BaseNames = 1117,
    DirNames = 1118,
    PayloadFormat = 1124,
    PayloadCompressor = 1125,
    PayloadFlags = 1126,
    PreTrans = 1151,
    PostTrans = 1152,
    PreTransProg = 1153,
    PostTransProg = 1154,
    LongFileSizes = 5008,
    LongSize = 5009,
    FileCaps = 5010,
    FileDigestAlgorithm = 5011,
    RecommendName = 5046,
    RecommendVersion = 5047,
    RecommendFlags = 5048,
    SuggestName = 5049,
    SuggestVersion = 5050,
    SuggestFlags = 5051,
    SupplementName = 5052,
    SupplementVersion = 5053,
    SupplementFlags = 5054,
    EnhanceName = 5055,
    EnhanceVersion = 5056,
    EnhanceFlags = 5057,
    FileTriggerScripts = 5066,
    FileTriggerScriptProg = 5067,
    FileTriggerName = 5069,
    FileTriggerIndex = 5070,
    FileTriggerVersion = 5071,
    FileTriggerFlags = 5072,
    TransFileTriggerScripts = 5076,
    TransFileTriggerScriptProg = 5077,
    TransFileTriggerName = 5079,
    TransFileTriggerIndex = 5080,
    TransFileTriggerVersion = 5081,
    TransFileTriggerFlags = 5082,
    FileTriggerPriorities = 5084,
    TransFileTriggerPriorities = 5085,
    PayloadDigest = 5092,
    PayloadDigestAlgorithm = 5093,
    ModularityLabel = 5096,
    PayloadDigestAlt = 5097,
}

/// <summary>Tags of the signature header whose numbers mean something else in the main header (rpmtag.h: rpmSigTag).</summary>
public static class RpmSignatureTag
{
    /// <summary>Bytes of main header and payload.</summary>
    public const RpmTag Size = (RpmTag)1000;

    /// <summary>A PGP signature of main header and payload.</summary>
    public const RpmTag Pgp = (RpmTag)1002;

    /// <summary>MD5 of main header and payload.</summary>
    public const RpmTag Md5 = (RpmTag)1004;

    /// <summary>The same as <see cref="Pgp"/> with a DSA key.</summary>
    public const RpmTag Gpg = (RpmTag)1005;

    /// <summary>Bytes of the payload, not compressed.</summary>
    public const RpmTag PayloadSize = (RpmTag)1007;

    /// <summary>Room that signing may use.</summary>
    public const RpmTag ReservedSpace = (RpmTag)1008;
}

/// <summary>How the values of an entry are stored (rpmtag.h: rpmTagType).</summary>
public enum RpmType
{
    Null,
    Char,
    Int8,
    Int16,
    Int32,
    Int64,
    String,
    Bin,
    StringArray,
    I18nString,
}
